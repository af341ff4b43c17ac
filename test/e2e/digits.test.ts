import { expect, test } from 'vitest';
import { CLASS_COUNT, PIXEL_COUNT, RECORD_BYTES, packDigits } from '../../lab/tasks/digit-format.js';
import { type DigitSet, fetchDigits, splitDigits } from '../../lab/tasks/digits.js';

test('all 10,000 digits arrive, a fifth of them held out', async () => {
  const { train, heldOut } = await fetchDigits();
  expect(train.count).toBe(8000);
  expect(heldOut.count).toBe(2000);
  for (const { count, pixels, labels } of [train, heldOut]) {
    expect(pixels).toHaveLength(count * PIXEL_COUNT);
    expect(labels).toHaveLength(count);
    // Ten classes, none of them rare in either part.
    const perClass = Array.from({ length: CLASS_COUNT }, () => 0);
    for (const label of labels) perClass[label]!++;
    expect(Math.min(...perClass)).toBeGreaterThan(count * 0.07);
  }
  // The mean grey level of MNIST, as everybody's normalisation constants have it.
  expect(train.pixels.reduce((sum, level) => sum + level, 0) / train.pixels.length / 255).toBeCloseTo(
    0.131,
    2,
  );
});

test('the split takes every digit once and is the same each time', () => {
  const count = 50;
  const packed = new Uint8Array(count * RECORD_BYTES);
  for (let digit = 0; digit < count; digit++) {
    packed[digit * RECORD_BYTES] = digit % CLASS_COUNT;
    packed.fill(digit, digit * RECORD_BYTES + 1, (digit + 1) * RECORD_BYTES);
  }
  const { train, heldOut } = splitDigits(packed);
  const identities = (set: DigitSet): number[] =>
    Array.from({ length: set.count }, (_, row) => set.pixels[row * PIXEL_COUNT] as number);
  const all = [...identities(train), ...identities(heldOut)];
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, digit) => digit));
  expect(all).not.toEqual(all.toSorted((a, b) => a - b));
  for (const set of [train, heldOut]) {
    expect([...set.labels]).toEqual(identities(set).map((digit) => digit % CLASS_COUNT));
  }
  expect(splitDigits(packed)).toEqual({ train, heldOut });
});

test('packing restores the 8-bit grey levels from three decimals', () => {
  const levels = Array.from({ length: PIXEL_COUNT }, (_, i) => Number(((i % 256) / 255).toFixed(3)));
  const packed = packDigits([[], levels]);
  expect(packed).toHaveLength(RECORD_BYTES);
  expect(packed[0]).toBe(1);
  expect([...packed.subarray(1)]).toEqual(levels.map((_, i) => i % 256));
});

test('a file that is no whole number of digits is refused', () => {
  expect(() => splitDigits(new Uint8Array(RECORD_BYTES + 1))).toThrow(/785 bytes, got 786/);
  expect(() => splitDigits(new Uint8Array())).toThrow(/got 0 bytes/);
});
