/** What the demo's servers say of addresses, without a server. */
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { describe, expect, test } from 'vitest';
import { servingPlugin } from '../../demo/serving-plugin.js';

type Handler = (request: object, response: object, next: () => void) => void;

/** The answer of a server whose files are the demo's sources. */
function answer(
  hook: 'configureServer' | 'configurePreviewServer',
  url: string,
  accept = 'text/html',
): object {
  const plugin = servingPlugin() as Record<
    typeof hook,
    Plugin['configureServer'] & ((server: object) => void)
  >;
  const root = fileURLToPath(new URL('../../demo', import.meta.url));
  let handle: Handler | undefined;
  const use = (handler: Handler): void => void (handle = handler);
  plugin[hook]({ middlewares: { use }, config: { base: '/some/', root, build: { outDir: '.' } } });
  const found: { policy?: string; status?: number; location?: string; isLeft?: boolean } = {};
  const response = {
    setHeader: (_: string, policy: string) => void (found.policy = policy),
    writeHead(status: number, headers: Record<string, string>) {
      found.status = status;
      if (headers['Location'] !== undefined) found.location = headers['Location'];
      return this;
    },
    end: () => undefined,
  };
  handle!({ url, headers: { accept } }, response, () => (found.isLeft = true));
  return found;
}

describe.each(['configureServer', 'configurePreviewServer'] as const)('%s', (hook) => {
  test.each([
    ['/some/', "default-src 'none'"],
    ['/some/race/?story=x', "default-src 'none'"],
    ['/some/playground/', "script-src 'self' 'wasm-unsafe-eval' blob:"],
    ['/some/playground/index.html', 'blob:'],
  ])('%s is left to vite, with a policy', (url, policy) => {
    expect(answer(hook, url)).toEqual({
      policy: expect.stringMatching(new RegExp(`${policy}.*frame-ancestors 'none'$`, 'u')),
      isLeft: true,
    });
  });

  test('other pages run no blobs', () => {
    expect(answer(hook, '/some/race/')).not.toMatchObject({
      policy: expect.stringContaining('blob:; style-src'),
    });
  });

  test.each(['/some/nothing', '/some/nothing/', '/some/race/nothing.html'])('%s is not there', (url) => {
    expect(answer(hook, url)).toMatchObject({
      status: 404,
      policy: expect.stringContaining("script-src 'sha256-"),
    });
  });

  test('a folder has its /', () => {
    expect(answer(hook, '/some/race?story=x')).toMatchObject({
      status: 301,
      location: '/some/race/?story=x',
    });
  });

  test('files, and what is not under the base, are left to vite', () => {
    expect(answer(hook, '/some/nothing.js', '*/*')).toMatchObject({ isLeft: true });
    expect(answer(hook, '/other/', 'text/html')).toEqual({ isLeft: true });
  });
});

test('docs are built when they are asked for, so they are there', () => {
  expect(answer('configureServer', '/some/docs/index.html')).toMatchObject({ isLeft: true });
  expect(answer('configurePreviewServer', '/some/docs/nothing.html')).toMatchObject({ status: 404 });
});
