import { describe, expect, test } from 'vitest';
import { OptimizerError, muon } from '../../src/index.js';
import { directing, applying } from '../../src/kernel/matrix-phases.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { planMatrixBatches } from '../../src/plan/matrix/batches.js';
import { arrayAfter, planProducts, sidesOf, tilesOf } from '../../src/plan/matrix/products.js';
import type { PlanLimits, PlanTensor } from '../../src/plan/pieces.js';
import { resolveAverages } from '../../src/averages/registry.js';
import { partialLengths } from '../../src/stages/factor/factor-pass.js';
import { float32, float64 } from '../../src/reference/arithmetic/arithmetic.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';
import { orthogonalize } from '../../src/reference/tensor/orthogonalize.js';
import { factoredSize, matrixSize } from '../../src/rules/declaring/matrix-size.js';
import { matrixFactor } from '../../src/rules/declaring/matrix.js';
import { withSettings } from '../../src/rules/rule.js';
import { orthogonalBound } from '../../proof/orthogonal-bound.js';
import { Random } from '../../proof/random.js';

const ITERATION = layoutOf(muon()).matrix!;
/** optax' of its own test: it converges. */
const CONVERGING = {
  ...ITERATION,
  scale: 'none' as const,
  triples: Array.from({ length: 20 }, () => [2, -1.5, 0.5] as const),
};

/** XXᵀ, of the shorter side. */
function gramOf(values: readonly number[], rows: number, columns: number): number[] {
  const isTall = rows > columns;
  const [short, long] = isTall ? [columns, rows] : [rows, columns];
  const at = (i: number, k: number) => values[isTall ? k * columns + i : i * columns + k]!;
  return Array.from({ length: short * short }, (_, n) => {
    const [i, j] = [Math.floor(n / short), n % short];
    let sum = 0;
    for (let k = 0; k < long; k++) sum += at(i, k) * at(j, k);
    return sum;
  });
}

describe('Newton–Schulz', () => {
  test.each([
    [4, 3],
    [3, 4],
    [6, 6],
    [1, 5],
    [5, 1],
  ])('of %i × %i comes to singular values of 1, as optax asks for within 1e-5', (rows, columns) => {
    const values = [...new Random(rows + 10 * columns).weights(rows * columns)];
    for (const f of [float64, float32]) {
      const made = orthogonalize(f, values, { rows, columns }, { ...CONVERGING, eps: 1e-12 });
      const short = Math.min(rows, columns);
      gramOf(made, rows, columns).forEach((value, n) =>
        expect(Math.abs(value - (n % (short + 1) === 0 ? 1 : 0))).toBeLessThan(1e-5),
      );
    }
  });

  test('of a matrix and of its transposed is the same, transposed, bit for bit', () => {
    const [rows, columns] = [3, 5];
    const values = [...new Random(1).weights(15)];
    const turned = Array.from({ length: 15 }, (_, n) => values[(n % rows) * columns + Math.floor(n / rows)]!);
    // The norm is of the same numbers in another order: one that no rounding comes into.
    const plain = { ...ITERATION, scale: 'none', eps: 8 } as const;
    const wide = orthogonalize(float32, values, { rows, columns }, plain);
    const tall = orthogonalize(float32, turned, { rows: columns, columns: rows }, plain);
    expect(tall).toEqual(turned.map((_, n) => wide[(n % rows) * columns + Math.floor(n / rows)]));
  });

  test('of zeros is zeros, and of what is not finite is NaN', () => {
    for (const f of [float64, float32]) {
      expect(orthogonalize(f, [0, 0, 0, 0], { rows: 2, columns: 2 }, ITERATION)).toEqual([0, 0, 0, 0]);
      for (const bad of [NaN, Infinity])
        expect(orthogonalize(f, [1, bad, 0, 2], { rows: 2, columns: 2 }, ITERATION).some(Number.isNaN)).toBe(
          true,
        );
    }
  });

  test('of float32 is within its bound', () => {
    const values = [...new Random(2).weights(12)];
    const size = { rows: 3, columns: 4 };
    const bounded = orthogonalBound(values.map(errorBound.load), size, ITERATION);
    orthogonalize(float32, values, size, ITERATION).forEach((value, i) => {
      expect(Math.abs(value - bounded[i]!.value)).toBeLessThanOrEqual(bounded[i]!.error);
      // And that says something.
      expect(bounded[i]!.error).toBeLessThan(0.02);
    });
  });
});

test('the factor of a shape', () => {
  const factor = (scale: (typeof ITERATION)['scale'], rows: number, columns: number) =>
    matrixFactor({ scale, rmsScale: 0.2 }, rows, columns);
  expect(factor('original', 8, 2)).toBe(2);
  expect(factor('original', 2, 8)).toBe(1);
  expect(factor('transposed', 8, 2)).toBe(1);
  expect(factor('transposed', 2, 8)).toBe(2);
  expect(factor('match_rms_adamw', 4, 25)).toBe(1);
  expect(factor('none', 4, 25)).toBe(1);
  expect(matrixSize([4, 2, 3, 3])).toEqual({ rows: 4, columns: 18 });
});

const LIMITS: PlanLimits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65_535,
};

const tensor = (index: number, shape: readonly number[], row = 0): PlanTensor<string> => ({
  index,
  row,
  shape,
  data: [{ buffer: 'b', byteOffset: 0, elementCount: shape.reduce((product, n) => product * n, 1) }],
});

/** Arrays that are as large as the matrices. */
const lengthsOf = ({ step }: { readonly step: number }) => ({ x0: step });

describe('batches', () => {
  const plan = (tensors: readonly PlanTensor<string>[]) =>
    planMatrixBatches(tensors, LIMITS, (k) => `w${k}`, matrixSize, lengthsOf);

  test('are of one shape and row', () => {
    const batches = plan([
      tensor(0, [3, 5]),
      tensor(1, [5, 3]),
      tensor(2, [3, 5, 1]),
      tensor(3, [3, 5], 1),
      tensor(4, [15, 1]),
    ]);
    expect(batches.map(({ tensors }) => tensors.map(({ index }) => index))).toEqual([[0, 2], [1], [3], [4]]);
    expect(batches.map(({ step }) => step)).toEqual([64, 64, 64, 64]);
    expect(batches.map(sidesOf)).toEqual([
      [3, 5],
      [3, 5],
      [3, 5],
      [1, 15],
    ]);
  });

  test('hold 2²⁴ elements, or one matrix', () => {
    const many = Array.from({ length: 9 }, (_, k) => tensor(k, [2048, 2048]));
    expect(plan(many).map(({ tensors }) => tensors.length)).toEqual([4, 4, 1]);
    expect(plan([tensor(0, [2 ** 13, 2 ** 12]), tensor(1, [2 ** 13, 2 ** 12])])).toHaveLength(2);
  });

  test('of what no binding holds are none', () => {
    expect(() => plan([tensor(7, [2 ** 13, 2 ** 13])])).toThrow(OptimizerError);
    expect(() => plan([tensor(7, [2 ** 13, 2 ** 13])])).toThrow(
      'parameter "w7" is a matrix of 8192 × 8192 elements, which is worked on as a whole, in 268435456 bytes, but the device binds ' +
        '134217728 at once; request it with larger requiredLimits.maxStorageBufferBindingSize',
    );
  });

  test('have room for the sums of short matrices, which take more than these', () => {
    const planFactors = (tensors: readonly PlanTensor<string>[]) =>
      planMatrixBatches(
        tensors,
        LIMITS,
        (k) => `w${k}`,
        factoredSize,
        (place) => {
          const { blocks, means } = partialLengths(place);
          return { x0: place.step, partials: blocks + means };
        },
      );
    // Rows by themselves: a sum for each element, and a mean for each.
    expect(() => planFactors([tensor(0, [2 ** 25, 1, 1])])).toThrow(
      'parameter "w0" is a matrix of 33554432 × 1 elements, which is worked on as a whole, in 268435456 bytes',
    );
    expect(() => planFactors([tensor(0, [1, 2 ** 25])])).toThrow('in 134217732 bytes');
    expect(planFactors([tensor(0, [2 ** 24, 1, 1])])).toHaveLength(1);
    const many = Array.from({ length: 4 }, (_, k) => tensor(k, [2 ** 22, 1, 1]));
    expect(planFactors(many).map(({ tensors }) => tensors.length)).toEqual([2, 2]);
    // Of 64 rows and more, no more than the matrices.
    expect(planFactors([tensor(0, [64, 2 ** 19])])).toHaveLength(1);
  });
});

describe('products', () => {
  const [wide] = planMatrixBatches([tensor(0, [70, 200])], LIMITS, String, matrixSize, lengthsOf);
  const [tall] = planMatrixBatches([tensor(0, [200, 70])], LIMITS, String, matrixSize, lengthsOf);

  test('of tall matrices are those of wide ones, along the other side', () => {
    const of = (batch: NonNullable<typeof wide>) => planProducts(batch, ITERATION.triples, 3);
    expect(of(wide!)).toHaveLength(15);
    of(wide!).forEach((product, k) => {
      const other = of(tall!)[k]!;
      expect([other.rows, other.columns, other.inner]).toEqual([
        product.rows,
        product.columns,
        product.inner,
      ]);
      expect([other.factor, other.addendFactor, other.scale]).toEqual([
        product.factor,
        product.addendFactor,
        product.scale,
      ]);
    });
    expect(of(wide!).map(({ scale }) => scale)).toEqual([...Array.from({ length: 14 }, () => 1), 3]);
    expect([of(wide!).at(-1)!.out.array, arrayAfter(5)]).toEqual(['x1', 'x1']);
    expect([of(wide!)[0]!.left.down, of(wide!)[0]!.left.across]).toEqual([200, 1]);
    expect([of(tall!)[0]!.left.down, of(tall!)[0]!.left.across]).toEqual([1, 70]);
  });

  test('that are symmetric take half of the tiles', () => {
    expect(tilesOf({ rows: 130, columns: 130, isSymmetric: true })).toEqual({ across: 3, count: 6 });
    expect(tilesOf({ rows: 130, columns: 257, isSymmetric: false })).toEqual({ across: 5, count: 15 });
  });
});

test('the rule as it runs twice', () => {
  const rule = withSettings(muon({ maximize: true }), { averages: resolveAverages({ ema: { decay: 0.9 } }) });
  const layout = layoutOf(rule);
  const [first, second] = [directing(layout), applying(layout)];
  expect([first.elementSlots, second.elementSlots]).toEqual([['momentum_buffer'], ['ema']]);
  expect(first.switches).toMatchObject({ DIRECTING: true, DECAY_WEIGHT: false, MAXIMIZE: true });
  expect(second.switches).toMatchObject({ DIRECTING: false, DECAY_WEIGHT: true, MAXIMIZE: false });
  expect(first.averages).toEqual([]);
});
