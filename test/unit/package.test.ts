import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, resolveConfig } from 'vite';
import { expect, test } from 'vitest';
import type * as onnxruntime from '../../src/adapters/onnxruntime/index.js';
import * as source from '../../src/index.js';
import type * as safetensors from '../../src/safetensors/index.js';
import { goldenCases } from '../fixtures/golden/index.js';
import { allRuleFactories } from '../support/all-rules.js';
import { ruleTable } from '../support/rule-families.js';

test('the built package exports what the source does, and works without a GPU', async () => {
  const outDir = await mkdtemp(join(tmpdir(), 'webgpu-optim-'));
  try {
    await build({ configFile: 'vite.config.ts', logLevel: 'error', build: { outDir, emptyOutDir: true } });
    // Vite would bundle a path that it can see; this one is made at run time.
    const built = (await import(
      /* @vite-ignore */ pathToFileURL(join(outDir, 'index.js')).href
    )) as typeof source;
    expect(Object.keys(built).toSorted()).toEqual(Object.keys(source).toSorted());
    const data = new Float64Array([1]);
    const reference = new built.ReferenceOptimizer({ rule: built.sgd({ lr: 0.5 }), params: [{ data }] });
    reference.step([[1]]);
    expect(data[0]).toBe(0.5);
    expect(() => built.sgd({ lr: -1 })).toThrow(built.OptimizerError);
    // Their peers are not to be found from there, but they can be read: of two classes of one name, `instanceof` would
    // know one only.
    const files = (await readdir(outDir, { recursive: true })).filter((file) => file.endsWith('.js'));
    const texts = await Promise.all(files.map((file) => readFile(join(outDir, file), 'utf8')));
    for (const [folder, peer] of [
      [join('adapters', 'jax'), '@jax-js/jax'],
      ['nats', '@nats-io/kv'],
      [join('adapters', 'tfjs'), '@tensorflow/tfjs-core'],
    ] as const) {
      const adapter = texts.filter((_, k) => files[k]!.startsWith(folder));
      expect(adapter.join('\n')).toContain(`from "${peer}"`);
    }
    expect(files.filter((_, k) => texts[k]!.includes('extends Error'))).toEqual(['errors.js']);
    const { OnnxTrainer } = (await import(
      /* @vite-ignore */ pathToFileURL(join(outDir, 'adapters/onnxruntime/index.js')).href
    )) as typeof onnxruntime;
    // Of the same class only if the adapter shares the core and brings none of its own.
    const refused = OnnxTrainer.create({} as never, '', { rule: built.sgd(), parameters: {} });
    await expect(refused).rejects.toThrow(built.OptimizerError);
    const { readSafetensors } = (await import(
      /* @vite-ignore */ pathToFileURL(join(outDir, 'safetensors/index.js')).href
    )) as typeof safetensors;
    await expect(readSafetensors(new Uint8Array(7))).rejects.toThrow(built.OptimizerError);
  } finally {
    await rm(outDir, { recursive: true });
  }
});

test('the package has no runtime dependencies', async () => {
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as Record<string, unknown>;
  expect(manifest['dependencies']).toBeUndefined();
});

/** What npm runs by itself, at an installation or before it. */
const RUN_BY_NPM = /^(pre|post)?(install|prepare|prepublish|dependencies)$/u;

test('installing the package runs nothing of it', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: object };
  expect(Object.keys(scripts).filter((name) => RUN_BY_NPM.test(name))).toEqual([]);
});

test('the lock file has a checksum for each package, and no address', async () => {
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8')) as {
    packages: Record<string, { resolved?: string; integrity?: string; version?: string; link?: boolean }>;
  };
  // The docs and the package itself are workspaces: folders of this repository, and a link to each.
  const folders = ['', 'docs'];
  const isOurs = (path: string): boolean =>
    folders.includes(path) || folders.includes(packages[path]!.resolved ?? path);
  const entries = Object.entries(packages).filter(([path]) => !isOurs(path));
  expect(entries.length).toBeGreaterThan(100);
  const odd = entries.filter(
    ([, { resolved, integrity, version, link }]) =>
      resolved !== undefined ||
      link ||
      !integrity?.startsWith('sha512-') ||
      !/^\d+\.\d+\.\d+/u.test(version!),
  );
  expect(odd).toEqual([]);
  expect(await readFile('.npmrc', 'utf8')).toContain('omit-lockfile-registry-resolved=true');
});

test('the demo is served to this machine alone', async () => {
  const config = await resolveConfig({ configFile: 'demo/vite.config.ts', logLevel: 'error' }, 'serve');
  expect([config.server.host, config.preview.host]).toEqual(['127.0.0.1', '127.0.0.1']);
});

test('the README shows the registry as it is', async () => {
  // The formatter aligns columns.
  const linesOf = (text: string) => text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').split('\n');
  const text = await readFile('README.md', 'utf8');
  const readme = linesOf(text);
  const table = linesOf(ruleTable());
  const first = readme.indexOf(table[0]!);
  expect(readme.slice(first, readme.indexOf('', first)), 'paste missing rows into README.md').toEqual(table);
  expect(text).toContain(`has ${allRuleFactories.length} optimizers`);
});

test('the README is short, and so is its example', async () => {
  const readme = await readFile('README.md', 'utf8');
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(180);
  const [, example] = /\n## Example\n\n```js\nimport .*\n(.*?)```/s.exec(readme)!;
  expect(example!.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(15);
});

test('what the README loads from a CDN is what the package exports', async () => {
  const [, map] = /<script type="importmap">(.*?)<\/script>/s.exec(await readFile('README.md', 'utf8'))!;
  const { imports } = JSON.parse(map!) as { imports: Record<string, string> };
  const { exports } = JSON.parse(await readFile('package.json', 'utf8')) as {
    exports: Record<string, { default: string }>;
  };
  for (const [name, address] of Object.entries(imports)) {
    const file = exports[name.replace(/^webgpu-optim/, '.')]!.default;
    expect(address).toMatch(/^https:\/\/cdn\.jsdelivr\.net\/npm\/webgpu-optim@\d/);
    expect(address.endsWith(file.replace(/^\./, ''))).toBe(true);
  }
});

test('the page on numerics says how many runs of other projects are checked', async () => {
  const [said] = /\d+ runs of other projects/.exec(await readFile('docs/numerics.md', 'utf8')) ?? [];
  expect(said).toBe(`${goldenCases.length} runs of other projects`);
});
