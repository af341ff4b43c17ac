/** Which deltas spoil the mean. */
import { describe, expect, inject, test } from 'vitest';
import { Random } from '../../proof/random.js';
import { screenDeltas } from '../../src/fleet/screen.js';
import { errorOf } from '../support/error-of.js';

const named = (norms: readonly number[]): { peer: string; norm: number; samples: number }[] =>
  norms.map((norm, k) => ({ peer: String.fromCodePoint(97 + k), norm, samples: 1 }));
const takenOf = (norms: readonly number[], normFactor?: number): string =>
  screenDeltas(named(norms), { normFactor })
    .taken.map(({ peer }) => peer)
    .join('');

describe('norms', () => {
  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
  ])('%s is refused, even alone', (text, norm) => {
    const { taken, refused } = screenDeltas(named([norm]));
    expect(taken).toEqual([]);
    expect(refused).toEqual([{ peer: 'a', reason: `its norm is ${text}: it holds NaN or Infinity` }]);
  });

  test('one beyond ten times the median of the others is refused, and the reason quotes both', () => {
    const { taken, refused } = screenDeltas(named([1, 2, 3, 20.001]));
    expect(taken.map(({ peer }) => peer)).toEqual(['a', 'b', 'c']);
    expect(refused).toEqual([
      { peer: 'd', reason: "its norm is 20.0, more than 10 times 2.00, the median of the others'" },
    ]);
    expect(takenOf([1, 2, 3, 20])).toBe('abcd');
  });

  test('of an even number of others, the median lies between the middle two', () => {
    expect(takenOf([1, 3, 20])).toBe('abc');
    expect(takenOf([1, 3, 20.1])).toBe('ab');
  });

  test('two are not compared, nor is one', () => {
    expect(takenOf([1, 1e30])).toBe('ab');
    expect(takenOf([1e30])).toBe('a');
    expect(takenOf([1, 1e30, Number.NaN])).toBe('ab');
  });

  test('peers that have not moved do not make the others wrong', () => {
    expect(takenOf([0, 0, 0, 5])).toBe('abcd');
    expect(takenOf([0, 0, 0])).toBe('abc');
  });

  test('what hid behind a larger one is refused, too', () => {
    // Beside 1e6 and 1e7, the median of the others of 100 is 500,000.5; without them, 1.
    expect(takenOf([1, 1, 100, 1e6, 1e7])).toBe('ab');
  });

  test('large ones do not overflow', () => {
    expect(takenOf([1e308, 1e308, 1.5e308])).toBe('abc');
  });

  test('the factor is what is given', () => {
    expect(takenOf([1, 1, 3], 2)).toBe('ab');
    expect(takenOf([1, 1, 3], 3)).toBe('abc');
  });
});

test.each([0, -1, Number.NaN, Infinity])('%s samples are refused', (samples) => {
  const { taken, refused } = screenDeltas([
    { peer: 'a', norm: 1, samples },
    { peer: 'b', norm: 1, samples: 1 },
  ]);
  expect(taken.map(({ peer }) => peer)).toEqual(['b']);
  expect(refused[0]!.reason).toContain(`${samples} samples`);
});

test.each([1, 0, -2, Number.NaN, Infinity, '10', null])('a factor of %s is refused', async (normFactor) => {
  const error = await errorOf(() => screenDeltas([], { normFactor: normFactor as number }));
  expect(error.code).toBe('invalid-option');
  expect(error.message).toContain('normFactor is ');
});

test('whatever the order, the outcome is the same; and what is taken is taken again', () => {
  const random = new Random(inject('seed'));
  for (let run = 0; run < 300; run += 1) {
    const list = named(Array.from({ length: 1 + random.integer(7) }, () => 10 ** (random.uniform() * 5)));
    const first = screenDeltas(list);
    const shuffled = list
      .map((delta) => ({ delta, key: random.uniform() }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ delta }) => delta);
    expect(screenDeltas(shuffled)).toEqual(first);
    expect(screenDeltas(first.taken)).toEqual({ taken: first.taken, refused: [] });
    expect(first.taken.length + first.refused.length).toBe(list.length);
  }
});
