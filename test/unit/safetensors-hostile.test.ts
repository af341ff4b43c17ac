/** Files that are not as the format says, and such as are odd; what the Python package says of each is recorded beside it. */
import { expect, inject, test } from 'vitest';
import { OptimizerError, readSafetensors } from '../../src/safetensors/index.js';
import { Random } from '../../proof/random.js';
import { hostileTensors } from '../fixtures/recorded/safetensors/hostile-tensors.js';
import { hostileTexts } from '../fixtures/recorded/safetensors/hostile-texts.js';
import { oddFiles } from '../fixtures/recorded/safetensors/odd.js';
import { errorOf } from '../support/error-of.js';
import { contentsOf, cutAtRandom, streamOf } from '../support/safetensors.js';

const hostileFiles = [...hostileTexts, ...hostileTensors];

/** Reads all of a file. */
const readAll = contentsOf;

test(`${hostileFiles.length} hostile files are refused, as bytes, as files and as streams`, async () => {
  const random = new Random(inject('seed'));
  for (const { what, bytes, message } of hostileFiles) {
    const sources = [bytes, new Blob([bytes]), streamOf(cutAtRandom(bytes, random))];
    for (const source of sources) {
      const { code, message: said } = await errorOf(() => readAll(source));
      expect(said, what).toMatch(message);
      expect(['invalid-safetensors', 'limit-exceeded'], what).toContain(code);
      expect(said.length, what).toBeLessThan(700);
    }
  }
  expect(new Set(hostileFiles.map(({ what }) => what)).size).toBe(hostileFiles.length);
});

test('of bytes and files, all is refused when they are opened', async () => {
  for (const { what, bytes } of hostileFiles) {
    expect((await errorOf(() => readSafetensors(bytes))).code, what).toBe('invalid-safetensors');
  }
});

test.each(Object.entries(oddFiles))('a file is read that has %s', async (_, bytes) => {
  const whole = await contentsOf(bytes);
  const streamed = await contentsOf(streamOf(cutAtRandom(bytes, new Random(inject('seed')))));
  expect(streamed).toEqual(whole);
});

test('a file with bytes or bits changed is refused in words, or read', async () => {
  const random = new Random(inject('seed'));
  const files = Object.values(oddFiles);
  let refused = 0;
  for (let round = 0; round < 3000; round += 1) {
    const bytes = random.pick(files).slice();
    for (let k = random.integer(3); k >= 0; k -= 1) {
      const at = random.integer(bytes.byteLength);
      const characters = '{}[]":,0129-\\e.';
      bytes[at] = random.pick([
        bytes[at]! ^ (1 << random.integer(8)),
        characters.charCodeAt(random.integer(characters.length)),
      ]);
    }
    const size = random.integer(10) === 0 ? random.integer(bytes.byteLength) : bytes.byteLength;
    try {
      await readAll(bytes.subarray(0, size));
    } catch (error) {
      if (!(error instanceof OptimizerError)) throw error;
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(1500);
});
