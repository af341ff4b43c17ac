/** Stochastic rounding: its mean, what stays, and that a run goes on as it would have. */
import { describe, expect, test } from 'vitest';
import { ReferenceOptimizer, sgd } from '../../src/index.js';
import { philox } from '../../src/codecs/philox.js';
import { f16 } from '../../src/codecs/f16.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { keeperOf } from '../../src/reference/tensor/keeping.js';
import { errorOf } from '../support/error-of.js';
import { philox as wide } from '../support/philox.js';

const COUNT = 100_000;

/** What is kept of a value that every element of a tensor is to become. */
function roundedTimes(dtype: 'f16' | 'bf16', value: number, seed = 0): Float32Array {
  const keep = keeperOf({ f16, bf16 }[dtype], seed, 'w');
  return new Float32Array(COUNT).map((_, i) => keep(Math.fround(value), i, 1));
}

describe.for(['f16', 'bf16'] as const)('%s', (dtype) => {
  const codec = { f16, bf16 }[dtype];

  test('rounds 100,000 times to the two neighbours of a value, whose mean is the value within 3e-5', () => {
    for (const value of [1 / 3, -0.7, 1.001, 1e-3, 3e-5, 1e-7]) {
      const rounded = roundedTimes(dtype, value);
      expect(new Set(rounded).size, String(value)).toBe(2);
      const single = Math.fround(value);
      const mean = rounded.reduce((sum, each) => sum + each, 0) / COUNT;
      expect(Math.abs(mean - single), String(value)).toBeLessThanOrEqual(3e-5);
      // Below the least normal number of f16, neighbours are too far apart to say as much of the share.
      if (Math.abs(value) > 2 ** -14) {
        expect(Math.abs(mean / single - 1), String(value)).toBeLessThanOrEqual(3e-5);
      }
    }
  });

  test('leaves alone what can be kept, and what is not finite', () => {
    const largest = { f16: 65504, bf16: bf16.round!(3.3e38) }[dtype];
    for (const value of [0, 1, -1.5, codec.smallestNumber!, largest, Infinity, -Infinity]) {
      for (const word of [0, 1, 0x7fff_ffff, 0xffff_ffff]) {
        expect(codec.random!.round(value, word), `${value} ${word}`).toBe(value);
      }
    }
    expect(codec.random!.round(NaN, 0xffff_ffff)).toBeNaN();
    expect(Object.is(codec.random!.round(-0, 0xffff_ffff), -0)).toBe(true);
  });

  test('rounds what is larger than the largest number as without', () => {
    const edge = { f16: 65520, bf16: 0xff8 * 2 ** 116 + 0x7 * 2 ** 116 }[dtype];
    const below = { f16: 65519, bf16: 3.39e38 }[dtype];
    expect(codec.random!.round(below, 0xffff_ffff)).toBe(codec.round!(below));
    if (dtype === 'f16') expect(codec.random!.round(edge, 0)).toBe(Infinity);
  });
});

test('draws by seed, step and element', () => {
  const a = roundedTimes('bf16', 1 / 3);
  const same = roundedTimes('bf16', 1 / 3);
  const other = roundedTimes('bf16', 1 / 3, 2 ** 40);
  expect(same.every((value, i) => value === a[i])).toBe(true);
  const shared = other.reduce((sum, value, i) => sum + Number(value === a[i]), 0);
  // Drawn independently, up with probability p: they agree with p² + (1 − p)² ≥ ½; six standard deviations.
  expect(shared / COUNT).toBeLessThan(0.7);
});

test('has the generator of the paper', () => {
  for (const [counter, key] of [
    [
      [0, 0, 0, 0],
      [0, 0],
    ],
    [
      [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
      [0xffff_ffff, 0xffff_ffff],
    ],
    [
      [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
      [0xa409_3822, 0x299f_31d0],
    ],
  ] as const) {
    expect(philox(counter, key)).toEqual(wide(counter.map(BigInt), key.map(BigInt)));
  }
});

test('is refused where it has no effect', async () => {
  const make = (config: object, dtype?: 'bf16') =>
    errorOf(
      () =>
        new ReferenceOptimizer({
          rule: sgd(),
          params: [{ data: new Float32Array(1), ...(dtype && { dtype }) }],
          ...config,
        }),
    );
  expect((await make({ stochasticRounding: true })).message).toContain('all weights are float32');
  expect((await make({ stochasticRounding: 1 }, 'bf16')).message).toContain('stochasticRounding is 1');
  expect((await make({ seed: 1 }, 'bf16')).message).toContain('without stochasticRounding');
  expect((await make({ stochasticRounding: true, seed: -1 }, 'bf16')).message).toContain('seed is -1');
});
