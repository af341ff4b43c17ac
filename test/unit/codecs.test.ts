/** How numbers lie in memory: codecs against a description of the formats that shares no bit trick with them. */
import { describe, expect, inject, test } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { type Codec, blockOf, byteLengthOf, rounded, valuesByteLength } from '../../src/codecs/codec.js';
import { STATE_DTYPES, codecOfName, stateCodec } from '../../src/codecs/state-dtype.js';

type Floats = Float32Array<ArrayBuffer>;

const ALL = [...new Set(STATE_DTYPES.flatMap((dtype) => [stateCodec(dtype), stateCodec(dtype, true)]))];
const SINGLE = ALL.filter(({ isScaled }) => !isScaled);
const BLOCKS = ALL.filter(({ isScaled }) => isScaled);

/** Digits of the significand, the first one among them. */
const DIGITS: Readonly<Record<string, number>> = { f32: 24, bf16: 8 };

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
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
  const magnitude = up * step >= 2 ** 128 ? Infinity : up * step;
  return value < 0 ? -magnitude : magnitude;
}

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

const random = new Random(inject('seed'));
const keep = (codec: Codec, values: ArrayLike<number>): Floats =>
  rounded(codec, Float32Array.from(values)).slice();
const bytesOf = (codec: Codec, values: Floats): Uint8Array => codec.encode(values.slice()).slice();
const expectSame = (got: Floats, want: ArrayLike<number>, what: string): void =>
  expect(bitDifference(got, Float32Array.from(want)), what).toBeUndefined();

describe.for(SINGLE)('$name', (codec) => {
  const bits = new Uint32Array(4000).map(() => random.integer(2 ** 32));
  const drawn = [...new Float32Array(bits.buffer)].filter((value) => !Number.isNaN(value));
  const values = Float32Array.from([...EDGES, ...SMALL, ...drawn].flatMap((value) => [value, -value]));

  test('rounds to the nearest, and of two to the even one', () => {
    const want = values.map((value) => nearest(value, DIGITS[codec.name]!));
    expectSame(keep(codec, values), want, codec.name);
    expectSame(keep(codec, [NaN, -0]), [NaN, -0], codec.name);
    // A NaN whose first half has no digit that says so.
    expect(keep(codec, new Float32Array(Uint32Array.of(0x7f80_0001).buffer))[0]).toBeNaN();
  });

  test('says how far off that may be', () => {
    const kept = keep(codec, values);
    for (const [k, value] of values.entries()) {
      if (!Number.isFinite(kept[k]!)) continue;
      expect(Math.abs(kept[k]! - value)).toBeLessThanOrEqual(
        codec.roundingError * Math.abs(value) + 2 ** -134,
      );
    }
  });
});

/** Whether it is for state that is never below 0. */
const isOfPositive = ({ name }: Codec): boolean => /-(square|fourth)$/.test(name);

const isCompanded = ({ name }: Codec): boolean => name.endsWith('-companded');

const powerOf = ({ name }: Codec): number => (name.endsWith('-fourth') ? 4 : 2);

/** Values of a block of some magnitude, and of those that are much smaller. */
function drawBlock(codec: Codec, length: number): Floats {
  const magnitude = 2 ** (random.integer(190) - 70);
  const spread = random.integer(30);
  return Float32Array.from({ length }, () => {
    const value = magnitude * 2 ** -random.integer(spread + 1) * random.uniform();
    return isOfPositive(codec) || random.integer(2) === 0 ? value : -value;
  });
}

/** The levels between −1 or 0, and 1, from the formats' description in float64. */
function levelsOf(codec: Codec): number[] {
  const bits = Number(codec.name[3]);
  if (isOfPositive(codec)) {
    return Array.from({ length: 2 ** bits }, (_, q) => (q / (2 ** bits - 1)) ** powerOf(codec));
  }
  const most = 2 ** (bits - 1) - 1;
  return Array.from({ length: 2 * most + 1 }, (_, k) => {
    const y = (k - most) / most;
    return isCompanded(codec) ? y / (2 - Math.abs(y)) : y * Math.abs(y);
  });
}

/** Where codes are even: numbers are rounded to the nearest there. */
const rootBy = (codec: Codec, x: number): number =>
  isCompanded(codec) ? (2 * x) / (1 + Math.abs(x)) : Math.sign(x) * Math.abs(x) ** (1 / powerOf(codec));

describe.for(BLOCKS)('$name', (codec) => {
  const isPositive = isOfPositive(codec);
  const least = 2 ** (powerOf(codec) === 4 ? -94 : -110);
  const levels = levelsOf(codec);

  test('keeps the largest as it is, and of others the nearest level', () => {
    for (let k = 0; k < 60; k++) {
      const values = drawBlock(codec, 64);
      const kept = keep(codec, values);
      const largest = Math.max(...values.map(Math.abs));
      for (const [i, value] of values.entries()) {
        if (Math.abs(value) === largest) expect(kept[i]).toBe(value);
        const want = rootBy(codec, value / largest);
        const off = Math.abs(rootBy(codec, kept[i]! / largest) - want);
        const step = 1 / (isPositive ? levels.length - 1 : (levels.length - 1) / 2);
        // What is above 0 has a level above it.
        const isRaised = isPositive && value > 0 && want < step / 2;
        expect(off).toBeLessThanOrEqual(isRaised ? step : step / 2 + 1e-6);
        if (isPositive) expect(kept[i]! > 0).toBe(value > 0);
        const roots = levels.map((level) => rootBy(codec, level));
        const root = rootBy(codec, kept[i]! / largest);
        expect(Math.min(...roots.map((level) => Math.abs(level - root)))).toBeLessThan(1e-6);
        expect(Math.abs(kept[i]! - value)).toBeLessThanOrEqual(codec.roundingError * largest);
      }
    }
  });

  test('has every level, and reads and writes each without a change', () => {
    for (const scale of [1, 3.4e38, least, 1 + 2 ** -23, 0.1, 7e-22]) {
      const largest = Math.fround(scale);
      for (let first = 0; first < levels.length; first += 63) {
        const own = levels.slice(first, first + 63);
        const values = Float32Array.of(largest, ...own.map((level) => level * largest));
        const kept = keep(codec, values);
        expect(new Set(kept).size).toBe(new Set(values).size);
        kept.forEach((value, k) =>
          expect(Math.abs(value / largest - values[k]! / largest)).toBeLessThan(1e-6),
        );
        expectSame(keep(codec, kept), kept, `${codec.name} ${scale}`);
        expect(bytesOf(codec, kept)).toEqual(bytesOf(codec, values));
      }
    }
  });

  test('writes again what it has read, whatever that was', () => {
    for (let k = 0; k < 500; k++) {
      const values = drawBlock(codec, 1 + random.integer(200));
      const bytes = bytesOf(codec, values);
      const kept = codec.decode(bytes.slice().buffer, values.length);
      expect(bytesOf(codec, kept)).toEqual(bytes);
    }
  });

  test('makes zeros of what is tiny, and NaN of all that has one scale with a NaN or an infinity', () => {
    const tiny = least * (1 - 2 ** -24);
    expectSame(keep(codec, [tiny, 0, -0, 2 ** -149]), [0, 0, 0, 0], codec.name);
    // Zeros of memory, too.
    const { blockByteLength } = codec;
    expectSame(codec.decode(new ArrayBuffer(blockByteLength), 64), new Float32Array(64), codec.name);
    expectSame(keep(codec, [least, tiny]).subarray(0, 1), [least], codec.name);
    for (const value of [NaN, Infinity, -Infinity]) {
      const values = new Float32Array(130).fill(1).fill(value, 70, 71);
      expectSame(
        keep(codec, values),
        [...values].map((_, i) => (i >= 64 && i < 128 ? NaN : 1)),
        `${value}`,
      );
    }
    // Beside what is far larger, a subnormal is none.
    expectSame(keep(codec, [1, 2 ** -127]), [1, 0], codec.name);
    if (isPositive) expectSame(keep(codec, [-2, 1, -1]), [0, 1, 0], codec.name);
  });
});

describe.for(ALL)('$name', (codec) => {
  test('gives back what rounding leaves, of any number of values', () => {
    const values = drawBlock(codec, 257);
    for (const count of [0, 1, 2, 3, 4, 5, 63, 64, 65, 255, 256, 257]) {
      const bytes = codec.encode(values.slice(0, count));
      expect(bytes.byteLength).toBe(byteLengthOf(codec, count));
      expect(bytes.byteLength % 4).toBe(0);
      expect(valuesByteLength(codec, count)).toBeLessThanOrEqual(bytes.byteLength);
      const kept = codec.decode(bytes.slice().buffer, count);
      expectSame(kept, keep(codec, values.slice(0, count)), `${count}`);
      // Values are rounded with those of their own block alone.
      const whole = keep(codec, values).subarray(0, Math.floor(count / 64) * 64);
      expectSame(kept.subarray(0, whole.length), whole, `${count}`);
    }
  });

  test('says what a block of one value is', () => {
    for (const value of [0, 0.1, -2.5]) {
      if (value < 0 && isOfPositive(codec)) continue;
      const words = blockOf(codec, value);
      expect(words.byteLength).toBe(codec.blockByteLength);
      const want = new Float32Array(codec.blockLength).fill(value);
      expectSame(codec.decode(words.buffer, codec.blockLength), keep(codec, want), `${value}`);
    }
  });

  test('is found by its name in files', () => {
    expect(codecOfName(codec.name)).toBe(codec);
    expect(codecOfName('i64')).toBeUndefined();
    // Names of levels that there were once.
    for (const name of ['int8', 'int4', 'int8-root', 'int4-root']) expect(codecOfName(name)).toBeUndefined();
  });
});

test('takes what it is said to', () => {
  const bytes = ALL.map((codec) => [codec.name, valuesByteLength(codec, 64)]);
  expect(bytes).toEqual([
    ['f32', 256],
    ['bf16', 128],
    ['int8-signed', 68],
    ['int8-fourth', 68],
    ['int4-companded', 36],
    ['int4-square', 36],
  ]);
  expect(valuesByteLength(stateCodec('bf16'), 3)).toBe(6);
  expect(valuesByteLength(stateCodec('int8'), 65)).toBe(136);
});
