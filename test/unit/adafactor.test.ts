import { describe, expect, test } from 'vitest';
import { ReferenceOptimizer, adafactor } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { float32, float64 } from '../../src/reference/arithmetic/arithmetic.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';
import { factoredSize, isFactored, sideLength } from '../../src/rules/declaring/matrix-size.js';

describe('powers of a count', () => {
  const COUNTS = [1, 2, 3, 4, 5, 7, 11, 255, 256, 1023, 65_537, 2 ** 24 - 1, 2 ** 24, 2 ** 31, 2 ** 32];
  const EXPONENTS = [-1, -0.8, -0.5, -0.3, -0.01, 0];

  test('in float32 are what they are, within the bound', () => {
    for (const exponent of EXPONENTS) {
      for (const count of COUNTS) {
        const of = <N>(f: { powerOfCount: (t: number, c: N, two: N) => N; scalar: (value: number) => N }) =>
          f.powerOfCount(count, f.scalar(exponent), f.scalar(2 ** exponent));
        const { value, error } = of(errorBound);
        expect(of(float64)).toBe(count ** exponent);
        expect(value).toBe(count ** exponent);
        expect(Math.abs(of(float32) - value), `${count}^${exponent}`).toBeLessThanOrEqual(error);
        // Half of an ULP for each doubling, and some for all else.
        expect(error / value).toBeLessThan((40 + 2 * Math.log2(count)) * 2 ** -23);
      }
    }
  });

  test('of 1 are exactly 1, so that the first means are those of the first gradient', () => {
    for (const exponent of EXPONENTS)
      expect(float32.powerOfCount(1, float32.scalar(exponent), float32.scalar(2 ** exponent))).toBe(1);
  });
});

test('the last two axes are rows and columns, the others count matrices', () => {
  expect(factoredSize([3, 5])).toEqual({ rows: 3, columns: 5, height: 3 });
  expect(factoredSize([2, 4, 3, 5])).toEqual({ rows: 24, columns: 5, height: 3 });
  expect([sideLength('rows', [2, 4, 3, 5]), sideLength('columns', [2, 4, 3, 5])]).toEqual([24, 40]);
  expect([isFactored([7], 1), isFactored([1, 7], 1), isFactored([1, 7], 2)]).toEqual([false, true, false]);
  // Axes that count matrices may be short.
  expect(isFactored([1, 8, 9], 8)).toBe(true);
});

describe('the reference', () => {
  const run = (shape: number[], options: object, gradients: readonly number[][]) => {
    const length = shape.reduce((product, axis) => product * axis, 1);
    const params = [{ name: 'w', shape, data: new Float64Array(length).fill(1) }];
    const reference = new ReferenceOptimizer({ rule: adafactor(options), params });
    for (const gradient of gradients) reference.step([gradient]);
    return reference;
  };

  test('gives squares of rank one back as they are: directions are signs', () => {
    const random = new Random(1);
    const [rows, columns] = [random.weights(4), random.weights(6)];
    const gradient = [...rows].flatMap((r) => [...columns].map((c) => r * c));
    for (const epsPlacement of ['max', 'sum'] as const) {
      const options = { lr: 0.5, epsPlacement, eps: [1e-30, 0], d: 0, relativeStep: false };
      const weights = run([4, 6], options, [gradient]).readParam('w');
      gradient.forEach((g, k) => expect(weights[k]).toBeCloseTo(1 - 0.5 * Math.sign(g), 12));
    }
  });

  test('is still where gradients are 0, row by row and all of them', () => {
    const some = [0, 0, 0, 1, -2, 3, 0, 0, 0];
    for (const epsPlacement of ['max', 'sum'] as const) {
      for (const precision of ['f64', 'f32'] as const) {
        const params = [{ name: 'w', shape: [3, 3], data: new Float32Array(9).fill(1) }];
        const reference = new ReferenceOptimizer({ rule: adafactor({ epsPlacement }), params, precision });
        reference.step([some.map(() => 0)]);
        expect([...reference.readParam('w')]).toEqual(some.map(() => 1));
        reference.step([some]);
        some.forEach((g, k) => {
          const weight = reference.readParam('w')[k]!;
          expect(weight < 1, `${epsPlacement} ${k}`).toBe(g > 0);
          expect(weight > 1, `${epsPlacement} ${k}`).toBe(g < 0);
        });
      }
    }
  });

  test('keeps of a stack of matrices what it keeps of each', () => {
    const random = new Random(2);
    const gradients = Array.from({ length: 3 }, () => [...random.weights(24)]);
    const options = { scaleParameter: false, d: 0, lr: 0.1 };
    const stacked = run([2, 3, 4], options, gradients);
    for (const k of [0, 1]) {
      const own = run(
        [3, 4],
        options,
        gradients.map((gradient) => gradient.slice(12 * k, 12 * (k + 1))),
      );
      const part = (values: ArrayLike<number>, length: number) =>
        Array.from(values).slice(length * k, length * (k + 1));
      expect(part(stacked.readParam('w'), 12)).toEqual([...own.readParam('w')]);
      expect(part(stacked.readState('w', 'row_var'), 3)).toEqual([...own.readState('w', 'row_var')]);
      expect(part(stacked.readState('w', 'col_var'), 4)).toEqual([...own.readState('w', 'col_var')]);
    }
  });
});
