/** The package as a content delivery network has it: files at an origin of their own, imported without a bundler. */
import { type Server, createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { type AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Browser } from 'puppeteer';
import { readmeExample } from '../../runtimes/user-folder.js';
import { launchBrowser } from '../../scripts/browsers.js';

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' };
const installed = join(inject('userFolder'), 'node_modules/webgpu-optim');
const { code, promised } = readmeExample();

const servers: Server[] = [];
let browser: Browser;
let cdn: string;
let site: string;

/** Serves what a path has, at a port of its own. */
async function serve(read: (path: string) => string | Buffer): Promise<string> {
  const server = createServer(({ url }, response) => {
    try {
      const path = new URL(url!, 'http://localhost').pathname;
      const type = TYPES[extname(path)] ?? 'text/plain';
      response.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' }).end(read(path));
    } catch {
      response.writeHead(404).end();
    }
  });
  servers.push(server);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  cdn = `${await serve((path) => readFileSync(join(installed, path)))}/dist/index.js`;
  // A worker sees no import map.
  const worker = `${code.replace("'webgpu-optim'", JSON.stringify(cdn))}\npostMessage(first);`;
  const pages: Record<string, string> = {
    '/page.html': `<!doctype html>
<script type="importmap">{ "imports": { "webgpu-optim": "${cdn}" } }</script>
<script type="module">${code}\nglobalThis.first = first;</script>`,
    '/worker.html': `<!doctype html>
<script type="module">
new Worker('worker.js', { type: 'module' }).onmessage = ({ data }) => { globalThis.first = data; };
</script>`,
    '/worker.js': worker,
    '/favicon.ico': '',
  };
  site = await serve((path) => {
    const text = pages[path];
    if (text === undefined) throw new Error(path);
    return text;
  });
  browser = await launchBrowser('chrome', { adapter: inject('adapter') });
});

afterAll(async () => {
  await browser.close();
  for (const server of servers) server.closeAllConnections();
});

test.for(['page', 'worker'])("the README's example runs in a %s without a bundler", async (name) => {
  const page = await browser.newPage();
  const failed = new Promise<never>((_, reject) => {
    page.on('pageerror', (error) => reject(error instanceof Error ? error : new Error(String(error))));
    page.on('console', (message) => {
      if (message.type() === 'error') reject(new Error(message.text()));
    });
  });
  failed.catch(() => {});
  await page.goto(`${site}/${name}.html`);
  await Promise.race([page.waitForFunction('globalThis.first !== undefined'), failed]);
  expect(await page.evaluate('globalThis.first')).toBeCloseTo(promised, 6);
  await page.close();
});
