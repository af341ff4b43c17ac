/** The projects that `webgpu-optim init` writes: each is built with the package as it is installed, visited, and learns. */
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'puppeteer';
import { preview } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { launchBrowser } from '../../scripts/browsers.js';
import { drawn } from '../support/draw.js';

const run = promisify(execFile);
const user = inject('userFolder');
const installed = join(user, 'node_modules/webgpu-optim');

function init(...args: string[]) {
  const command = join(installed, 'dist/init/command.js');
  return spawnSync(process.execPath, [command, 'init', ...args], { cwd: user, encoding: 'utf8' });
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

beforeAll(() => {
  // What `npm install` would bring.
  for (const name of ['vite', '@jax-js', '@tensorflow', 'onnxruntime-web']) {
    link(resolve('node_modules', name), join(user, 'node_modules', name));
  }
  const commands = { vite: 'vite/bin/vite.js', 'webgpu-optim-onnx': 'webgpu-optim/dist/onnx/command.js' };
  for (const [name, path] of Object.entries(commands)) {
    link(join(user, 'node_modules', path), join(user, 'node_modules/.bin', name));
  }
  chmodSync(join(installed, 'dist/onnx/command.js'), 0o755);
});

describe('the project of template', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser('chrome', { adapter: inject('adapter') });
  });
  afterAll(() => browser.close());

  // These two load most; one of them a run.
  const [quick, slow] = [['wgsl', 'jax'], drawn(['tfjs', 'onnxruntime'], 2)];
  test.for([...quick, ...slow])('%s is built, and its loss falls', async (template) => {
    const { stdout, stderr, status } = init(`my ${template}`, '--template', template);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('  npm install\n  npm run dev\n');
    const root = join(user, `my ${template}`);
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).toMatchObject({
      name: `my-${template}`,
      dependencies: { 'webgpu-optim': `^${version}` },
    });
    await run('npm', ['run', 'build'], { cwd: root, env: { ...process.env, NODE_ENV: 'production' } });
    const server = await preview({
      root,
      configFile: false,
      logLevel: 'error',
      preview: { port: 0, host: '127.0.0.1' },
    });
    const page = await browser.newPage();
    try {
      const failed = new Promise<never>((_, reject) => {
        page.on('pageerror', (error) => reject(error instanceof Error ? error : new Error(String(error))));
      });
      failed.catch(() => {});
      await page.goto(server.resolvedUrls!.local[0]!);
      await Promise.race([
        page.waitForFunction("document.querySelector('#log').textContent.endsWith('Done.\\n')", {
          timeout: 90_000,
        }),
        failed,
      ]);
      const log = (await page.evaluate("document.querySelector('#log').textContent")) as string;
      const losses = Array.from(log.matchAll(/loss (\d+\.\d+)/g), ([, loss]) => Number(loss));
      expect(losses.length).toBeGreaterThan(5);
      expect(losses.at(-1), log).toBeLessThan(0.4 * losses[0]!);
    } finally {
      await page.close();
      await server.close();
    }
  });
});

test('what init cannot do is one line and status 2, and changes nothing', () => {
  writeFileSync(join(user, 'file'), '');
  mkdirSync(join(user, 'full'));
  writeFileSync(join(user, 'full/notes'), '');
  for (const [args, complaint] of [
    [['file'], `"${join(user, 'file')}" is a file; name a folder that is new or empty.`],
    [['full'], `"${join(user, 'full')}" is not empty, it has "notes"; name a folder that is new or empty.`],
    [
      ['new', '--template', 'torch'],
      "argument 'torch' is invalid. Allowed choices are wgsl, tfjs, jax, onnxruntime.",
    ],
    [['new', 'more'], 'too many arguments'],
    [['new', '--tmplate', 'wgsl'], "unknown option '--tmplate'"],
  ] as const) {
    const { stdout, stderr, status } = init(...args);
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toContain(complaint);
    expect(stderr.trimEnd().split('\n').length).toBe(1);
  }
  expect(() => readFileSync(join(user, 'new/package.json'))).toThrow('ENOENT');
});
