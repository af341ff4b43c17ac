import { expect, inject, test } from 'vitest';
import { Random } from '../../proof/random.js';
import { complaintAbout, decodeValues, encodeValues } from '../../src/outer/deltas/compress.js';
import { type TopKOptions, chunksOf, largestLevel } from '../../src/outer/deltas/top-k.js';
import { readDelta, writeDelta } from '../../src/outer/deltas/delta.js';
import { errorOf } from '../support/error-of.js';

const random = new Random(inject('seed'));
const SIZES = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4095, 4096, 4097, 9000];
const OPTIONS: TopKOptions[] = [
  { topK: 1, bits: 2 },
  { topK: 0.5, bits: 4 },
  { topK: 100, bits: 8 },
  { topK: 0.01, bits: 16 },
  { topK: 2048, bits: 32 },
];

const formatOf = (topK: TopKOptions) => ({ compress: topK, topK });

for (const options of OPTIONS) {
  test(`the largest of each chunk are kept, within half a step: ${JSON.stringify(options)}`, () => {
    for (const length of SIZES) {
      const values = random.gradients(length);
      const bytes = encodeValues(formatOf(options), values);
      expect(complaintAbout(formatOf(options), bytes, length)).toBeUndefined();
      const got = decodeValues(formatOf(options), bytes, length);
      for (const { element, elementCount, kept } of chunksOf(options, length)) {
        const own = Array.from(values.subarray(element, element + elementCount), Math.abs);
        const largest = own.toSorted((a, b) => b - a).slice(0, kept);
        const [most, least] = [largest[0]!, largest.at(-1)!];
        // Half a step, and what float32 rounds: of sums and quotients of numbers up to the largest.
        const bound =
          options.bits === 32 ? 0 : (most - least) / largestLevel(options.bits) / 2 + 4 * most * 2 ** -24;
        let count = 0;
        own.forEach((magnitude, k) => {
          const value = got[element + k]!;
          if (value === 0 && magnitude <= least) return;
          count++;
          expect(magnitude).toBeGreaterThanOrEqual(least);
          expect(Math.abs(value - values[element + k]!)).toBeLessThanOrEqual(bound);
        });
        expect(count).toBeLessThanOrEqual(kept);
      }
    }
  });
}

test('of equals those that come first are kept, and zeros say nothing', () => {
  const format = formatOf({ topK: 0.5, bits: 32 });
  const values = Float32Array.of(1, -2, 2, 2, -1, 2);
  expect([...decodeValues(format, encodeValues(format, values), 6)]).toEqual([0, -2, 2, 2, 0, 0]);
  const zeros = new Float32Array(10);
  expect([...decodeValues(format, encodeValues(format, zeros), 10)]).toEqual([...zeros]);
});

test('places that do not ascend, or lie beyond the chunk, are refused', async () => {
  const format = formatOf({ topK: 0.5, bits: 8 });
  const write = async (change: (words: Uint32Array) => void) => {
    const bytes = encodeValues(format, Float32Array.of(4, 3, 2, 1));
    change(new Uint32Array(bytes.buffer));
    const header = { round: 0, samples: 1, compress: format.compress, lengths: { w: 4 } };
    return (await writeDelta(header, format, new Map([['w', bytes]]))).bytes;
  };
  const place = (first: number, second: number) => (words: Uint32Array) =>
    (words[2] = first | (second << 12));
  expect((await readDelta(await write(place(0, 3)), 'test')).round).toBe(0);
  for (const places of [
    [1, 1],
    [2, 1],
    [0, 4],
    [7, 8],
  ] as [number, number][]) {
    const error = await errorOf(async () => readDelta(await write(place(...places)), 'test'));
    expect(error.code).toBe('invalid-delta');
    expect(error.message).toContain('places ascend');
  }
  const scale = await write((words) => (words[1] = 0x7fc00000));
  expect((await errorOf(() => readDelta(scale, 'test'))).message).toContain('not all of its values');
});
