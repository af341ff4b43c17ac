import { expect, inject, test } from 'vitest';
import { powerOf } from '../../src/float32.js';
import { Random } from '../../proof/random.js';

const BITS = 400n;

/** A float64 as a multiple of 2⁻⁴⁰⁰. */
function fixed(value: number): bigint {
  // Exactly: 2¹¹⁰⁰ is beyond a float64, and 2⁵⁵⁰ twice is not.
  let mantissa = value;
  let shift = 0n;
  while (!Number.isInteger(mantissa)) [mantissa, shift] = [mantissa * 2, shift + 1n];
  return (BigInt(mantissa) << BITS) >> shift;
}

/** The power of integers, rounded down at each step by less than 2⁻⁴⁰⁰. */
function exactPower(base: number, exponent: number): bigint {
  const factor = fixed(base);
  let power = 1n << BITS;
  for (let k = 0; k < exponent; k++) power = (power * factor) >> BITS;
  return power;
}

test('a power is off by n · 2⁻⁵³ at most', () => {
  const random = new Random(inject('seed'));
  const bases = [0, 0.5, 0.9, 0.999, 0.9999, 1, random.uniform(), 1 - 1e-3 * random.uniform()];
  for (const base of bases) {
    for (const exponent of [0, 1, 2, 3, 10, 63, 64, 65, 1000, 1 + random.integer(3000)]) {
      const want = exactPower(base, exponent);
      const got = powerOf(base, exponent);
      const error = fixed(got) - want;
      const bound = ((want * BigInt(exponent)) >> 53n) + BigInt(exponent + 1);
      expect(error < 0n ? -error : error, `${base} to the ${exponent}`).toBeLessThanOrEqual(bound);
    }
  }
});

test('it has the same bits in every engine', () => {
  // What it is made of rounds as IEEE 754 says: these are the bits of multiplications in float64, worked out once.
  expect(powerOf(0.9, 5)).toBe(0.9 * (0.9 * 0.9 * (0.9 * 0.9)));
  expect(powerOf(0.999, 6)).toBe(0.999 * 0.999 * (0.999 * 0.999 * (0.999 * 0.999)));
  expect(powerOf(0.5, 1074)).toBe(2 ** -1074);
  expect(powerOf(0.5, 2 ** 53)).toBe(0);
  expect(powerOf(1, 2 ** 53)).toBe(1);
});
