import { describe, expect, inject } from 'vitest';
import { type Initializer, ParameterArena } from '../../src/index.js';
import { streamOf } from '../../src/random-stream.js';
import { normalCdf } from '../../src/arena/normal-cdf.js';
import { bitDifference } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { wordOf } from '../support/philox.js';

/** x with Φ(x) = p, by bisection: the oracle. */
function quantile(p: number): number {
  let [low, high] = [-8, 8];
  for (let k = 0; k < 80; k++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const uniformOf = (word: number): number => (Math.floor(word / 512) + 0.5) / 2 ** 23;

/** What element i must be, given its word of the generator. */
const EXPECTED: readonly [Initializer, (word: number) => number][] = [
  ['zeros', () => 0],
  ['ones', () => 1],
  ['uniform', uniformOf],
  [{ kind: 'uniform', a: -3, b: 5 }, (word) => -3 + 8 * uniformOf(word)],
  ['normal', (word) => (word % 2 === 1 ? -1 : 1) * quantile(uniformOf(word) / 2)],
  [
    { kind: 'normal', mean: 2, std: 3 },
    (word) => 2 + (word % 2 === 1 ? -3 : 3) * quantile(uniformOf(word) / 2),
  ],
  [
    'trunc_normal',
    (word) => {
      const low = normalCdf(-2);
      return (word % 2 === 1 ? -1 : 1) * quantile(low + (0.5 - low) * uniformOf(word));
    },
  ],
  [
    { kind: 'trunc_normal', mean: 1, std: 2, a: 0, b: 9 },
    (word) => {
      const [low, high] = [normalCdf(-4), normalCdf(0.5)];
      return 1 - 2 * quantile(low + (high - low) * uniformOf(word));
    },
  ],
  [
    // Nothing but the tail.
    { kind: 'trunc_normal', a: -4.5, b: -3 },
    (word) => {
      const [low, high] = [normalCdf(-4.5), normalCdf(-3)];
      return quantile(low + (high - low) * uniformOf(word));
    },
  ],
  ['xavier', (word) => Math.sqrt(3 / 50) * (2 * uniformOf(word) - 1)],
  ['kaiming', (word) => Math.sqrt(2) * (word % 2 === 1 ? -1 : 1) * quantile(uniformOf(word) / 2)],
];

describe('initial weights', () => {
  for (const [init, expected] of EXPECTED) {
    const title = typeof init === 'string' ? init : JSON.stringify(init);
    gpuTest(`${title} are what the generator's words say`, async ({ device, track }) => {
      const seed = inject('seed') * 2 ** 20 + 12345;
      const spec = { other: { shape: [7], init: 'normal' as const }, w: { shape: [1, 99], init } };
      const arena = track(await ParameterArena.create(device, spec, { seed }));
      const got = await arena.read('w');
      got.forEach((value, i) => {
        const want = expected(wordOf(i, seed, streamOf('w')));
        // Giles' approximation is within 4e-7, and some fifteen roundings of 2⁻²⁴ and a coarse division follow; uniforms
        // are one product and one sum.
        expect(Math.abs(value - want), `element ${i}: got ${value}, want ${want}`).toBeLessThanOrEqual(
          2e-6 * Math.max(Math.abs(want), 1),
        );
      });
      if (isSwiftShader(device) && init === 'uniform') {
        expect([...got]).toEqual(
          Array.from(got, (_, i) => Math.fround(uniformOf(wordOf(i, seed, streamOf('w'))))),
        );
      }
    });
  }

  gpuTest('do not depend on what else the arena holds, and come again by seed', async ({ device, track }) => {
    const w = { shape: [300], init: 'normal' as const };
    const one = track(await ParameterArena.create(device, { w }, { seed: 5 }));
    const two = track(await ParameterArena.create(device, { v: w, u: { shape: [3] }, w }, { seed: 5 }));
    const other = track(await ParameterArena.create(device, { w }, { seed: 6 }));
    const want = await one.read('w');
    expect(bitDifference(await two.read('w'), want)).toBeUndefined();
    expect(bitDifference(await two.read('v'), want)).toBeDefined();
    expect(bitDifference(await other.read('w'), want)).toBeDefined();
    one.load(
      'w',
      want.map(() => 0),
    );
    await one.initialize('w', 'normal', 5);
    expect(bitDifference(await one.read('w'), want)).toBeUndefined();
    await one.initialize('w', 'zeros');
    expect((await one.read('w')).every((value) => value === 0)).toBe(true);
  });

  gpuTest('are distributed as they should', async ({ device, track }) => {
    const count = 300_001;
    const spec = {
      normal: { shape: [count], init: 'normal' as const },
      truncated: { shape: [count], init: { kind: 'trunc_normal', mean: 1, std: 2, a: 0, b: 9 } as const },
      uniform: { shape: [count], init: 'uniform' as const },
    };
    const arena = track(await ParameterArena.create(device, spec, { seed: inject('seed') }));
    const distributions: Record<string, (x: number) => number> = {
      normal: normalCdf,
      truncated: (x) => (normalCdf((x - 1) / 2) - normalCdf(-0.5)) / (normalCdf(4) - normalCdf(-0.5)),
      uniform: (x) => x,
    };
    for (const [name, cdf] of Object.entries(distributions)) {
      const sorted = (await arena.read(name)).toSorted();
      // Kolmogorov-Smirnov; the chance of passing 2.8/√n is 2·exp(−2·2.8²), 3e-7.
      const distance = sorted.reduce((most, x, i) => Math.max(most, Math.abs(cdf(x) - (i + 0.5) / count)), 0);
      expect(distance, name).toBeLessThan(2.8 / Math.sqrt(count));
    }
    const truncated = (await arena.read('truncated')).toSorted();
    expect(truncated[0]).toBeGreaterThanOrEqual(0);
    expect(truncated.at(-1)).toBeLessThanOrEqual(9);
    // 300,000 normal values reach beyond 3.5 standard deviations, on both sides.
    const normal = (await arena.read('normal')).toSorted();
    expect(normal[0]).toBeLessThan(-3.5);
    expect(normal.at(-1)).toBeGreaterThan(3.5);
  });
});
