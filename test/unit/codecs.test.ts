/** How numbers lie in memory: codecs against a description of the formats that shares no bit trick with them. */
import { describe, expect, inject, test } from 'vitest';
import { Random } from '../../proof/random.js';
import { STATE_DTYPES, codecOfDtype, stateCodec } from '../../src/codecs/state-dtype.js';

/** Digits of the significand, the first one among them. */
const DIGITS = { f32: 24, bf16: 8 };

/** The nearest number of so many digits, of two the even one, by division: exponents are a float32's. */
function nearest(value: number, digits: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), -126);
  // log2 may be a rounding off at powers of two.
  const unit = [exponent - 1, exponent, exponent + 1]
    .filter((e) => e >= -126)
    .map((e) => ({ e, mantissa: Math.abs(value) / 2 ** e }))
    .find(({ mantissa, e }) => (mantissa >= 1 || e === -126) && mantissa < 2)!;
  const step = 2 ** (unit.e - digits + 1);
  const quotient = Math.abs(value) / step;
  const below = Math.floor(quotient);
  const rest = quotient - below;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
  const magnitude = rounded * step >= 2 ** 128 ? Infinity : rounded * step;
  return value < 0 ? -magnitude : magnitude;
}

const float32 = Math.fround;
const EDGES = [
  0,
  1,
  1 + 2 ** -8,
  1 + 3 * 2 ** -8,
  1 + 2 ** -8 + 2 ** -23,
  2 - 2 ** -23,
  2 ** 127,
  3.3e38,
  3.4e38,
  Infinity,
];
const SMALL = [2 ** -126, 2 ** -127, 2 ** -133, 2 ** -134, 2 ** -135, 2 ** -149, 1e-30, 1.5 * 2 ** -133];

describe.for(STATE_DTYPES)('%s', (dtype) => {
  const codec = stateCodec(dtype);
  const random = new Random(inject('seed'));
  const bits = new Uint32Array(4000).map(() => random.integer(2 ** 32));
  const drawn = [...new Float32Array(bits.buffer)].filter((value) => !Number.isNaN(value));
  const values = Float32Array.from([...EDGES, ...SMALL, ...drawn].flatMap((value) => [value, -value]));

  test('rounds to the nearest, and of two to the even one', () => {
    for (const value of values) expect(codec.round(value), String(value)).toBe(nearest(value, DIGITS[dtype]));
    expect(codec.round(NaN)).toBeNaN();
    expect(Object.is(codec.round(-0), -0)).toBe(true);
  });

  test('gives back what rounding leaves, of any number of values', () => {
    for (const count of [0, 1, 2, 3, 4, 5, values.length]) {
      const bytes = codec.encode(values.slice(0, count));
      expect(bytes.byteLength).toBe(codec.byteLength(count));
      expect(bytes.byteLength % 4).toBe(0);
      const want = values.slice(0, count).map((value) => codec.round(value));
      expect([...codec.decode(bytes.slice().buffer, count)]).toEqual([...want]);
    }
    // A NaN whose first half has no digit that says so.
    const quiet = codec.encode(new Float32Array(Uint32Array.of(0x7f80_0001).buffer));
    expect(codec.decode(quiet.slice().buffer, 1)[0]).toBeNaN();
  });

  test('says how far off that may be, and what a word of one value is', () => {
    for (const value of values) {
      if (!Number.isFinite(codec.round(value))) continue;
      expect(Math.abs(codec.round(value) - value)).toBeLessThanOrEqual(
        codec.roundingError * Math.abs(value) + 2 ** -134,
      );
    }
    for (const value of [0, 0.1, -2.5]) {
      const word = Uint32Array.of(codec.wordOf(value));
      const count = 4 / codec.leastByteLength;
      expect([...codec.decode(word.buffer, count)]).toEqual(
        Array.from({ length: count }, () => codec.round(float32(value))),
      );
    }
  });

  test('is found by its name in files', () => {
    expect(codecOfDtype(codec.dtype)).toBe(codec);
    expect(codecOfDtype('I64')).toBeUndefined();
  });
});
