import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { OptimizerError, ReferenceOptimizer, adam, novograd, sgd } from '../../src/index.js';
import { ROW_BLOCK, planRowSum } from '../../src/plan/row-sums.js';
import { planStretches } from '../../src/plan/stretch.js';
import { float64 } from '../../src/reference/arithmetic/arithmetic.js';
import { sumRows } from '../../src/reference/tensor/sum-rows.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { sparseGoldenCases } from '../fixtures/golden/sparse.js';

const seed = inject('seed');

describe('published numbers of sparse gradients', () => {
  test.for(sparseGoldenCases)('$name', ({ rule, options, param, rowLength, grad, expected, state = [] }) => {
    const factory = ruleFactories.find(([name]) => name === rule)![1];
    const params = [{ name: 'w', data: Float64Array.from(param), rowLength, grad }];
    const reference = new ReferenceOptimizer({ rule: factory(options), params });
    const compare = (got: ArrayLike<number>, want: number[], tolerance: number) =>
      want.forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(tolerance));
    const last = Math.max(...expected.map(({ step }) => step));
    for (let step = 1; step <= last; step++) {
      reference.step();
      for (const sample of expected)
        if (sample.step === step) compare(reference.readParam('w'), sample.param, sample.tolerance);
      for (const sample of state)
        if (sample.step === step)
          compare(reference.readState('w', sample.slot), sample.values, sample.tolerance);
    }
  });
});

describe('the sums of rows', () => {
  const entries = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 9 }))
    .chain(([rowLength, rowCount]) =>
      fc.record({
        rowLength: fc.constant(rowLength),
        rowCount: fc.constant(rowCount),
        // Integers: their sums are exact in any order.
        rows: fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: rowCount + 2 }),
            fc.array(fc.integer({ min: -99, max: 99 }), { minLength: rowLength, maxLength: rowLength }),
          ),
          { maxLength: 40 },
        ),
      }),
    );

  test('are what a dense gradient would be, each row once and no other', () => {
    fc.assert(
      fc.property(entries, ({ rowLength, rowCount, rows }) => {
        const dense = new Float64Array(rowLength * rowCount);
        for (const [row, values] of rows) {
          if (row < rowCount) values.forEach((value, e) => (dense[row * rowLength + e]! += value));
        }
        const gradient = { indices: rows.map(([row]) => row), values: rows.flatMap(([, values]) => values) };
        const { elements, values } = sumRows(float64, gradient, rowLength, rowCount);
        expect(new Set(elements).size).toBe(elements.length);
        expect(elements.length).toBe(
          rowLength * new Set(rows.map(([row]) => row).filter((row) => row < rowCount)).size,
        );
        const scattered = new Float64Array(dense.length);
        elements.forEach((element, k) => (scattered[element] = values[k]!));
        expect(scattered).toEqual(dense);
      }),
      { seed },
    );
  });

  test('are added in order of position', () => {
    const gradient = { indices: [0, 1, 0, 0], values: [1e30, 5, -1e30, 1] };
    expect(sumRows(float64, gradient, 1, 2).values).toEqual([1, 5]);
    expect(sumRows(float64, { ...gradient, values: [1, 5, 1e30, -1e30] }, 1, 2).values).toEqual([0, 5]);
  });

  test('are added in blocks where a row has more entries than one', () => {
    const indices = Array.from({ length: 2 * ROW_BLOCK }, () => 0);
    // One block of ones, then a huge one, ones, and its opposite: in order of position they would all be lost.
    const values = indices.map((_, k) => ({ [ROW_BLOCK]: 2 ** 60, [2 * ROW_BLOCK - 1]: -(2 ** 60) })[k] ?? 1);
    expect(sumRows(float64, { indices, values }, 1, 1).values).toEqual([ROW_BLOCK]);
    // Blocks begin at the row's first entry: one entry fewer, and the huge one is in the first.
    const shifted = { indices: indices.slice(1), values: values.slice(1) };
    expect(sumRows(float64, shifted, 1, 1).values).toEqual([0]);
  });

  test('take no more entries than count', () => {
    const gradient = { indices: [0, 0, 0], values: [1, 2, 4] };
    expect([0, 1, 2, 3, 9].map((count) => sumRows(float64, { ...gradient, count }, 1, 1).values)).toEqual([
      [],
      [1],
      [3],
      [7],
      [7],
    ]);
  });
});

describe('the plan of a sort', () => {
  test('looks at every bit that a row, or the number behind the last, can have', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.integer({ min: 1, max: 2 ** 24 }),
        fc.boolean(),
        (rowCount, entryCount, isCpu) => {
          const plan = planRowSum(entryCount, rowCount, isCpu);
          const { shifts, blockCount, counterCount, partCount, sortKernels, sort } = plan;
          const { DIGIT_BITS: bits, PER_BLOCK: pairs } = sort;
          expect(rowCount / 2 ** (shifts.at(-1)! + bits)).toBeLessThan(1);
          expect(rowCount / 2 ** shifts.at(-1)!).toBeGreaterThanOrEqual(1);
          expect(shifts).toEqual(shifts.map((_, k) => bits * k));
          expect(blockCount * pairs).toBeGreaterThanOrEqual(entryCount);
          expect((blockCount - 1) * pairs).toBeLessThan(entryCount);
          expect(counterCount).toBe(2 ** bits * blockCount);
          expect(partCount * pairs).toBeGreaterThanOrEqual(counterCount);
          expect((partCount - 1) * pairs).toBeLessThan(counterCount);
          expect(sortKernels.length).toBe(entryCount <= pairs ? 1 : 3);
        },
      ),
      { seed },
    );
  });

  test('adds up blocks until a row of all entries is one', () => {
    const levels = (entryCount: number) => planRowSum(entryCount, 1, false).strides;
    expect(levels(ROW_BLOCK)).toEqual([]);
    expect(levels(ROW_BLOCK + 1)).toEqual([ROW_BLOCK]);
    expect(levels(ROW_BLOCK ** 2)).toEqual([ROW_BLOCK]);
    expect(levels(1_000_000)).toEqual([ROW_BLOCK, ROW_BLOCK ** 2, ROW_BLOCK ** 3]);
  });
});

describe('the dispatch over named rows', () => {
  const limits = {
    maxStorageBufferBindingSize: 2 ** 27,
    minStorageBufferOffsetAlignment: 256,
    maxBufferSize: 2 ** 28,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupsPerDimension: 65_535,
  };
  const plan = (rowLength: number, byteOffset: number) =>
    planStretches(
      {
        members: [{ index: 3, start: 0, elementCount: rowLength * 100 }],
        row: 1,
        rows: { buffer: 'rows', entryCount: 7, rowLength },
      },
      {
        data: { buffer: 'table', byteOffset, elementCount: rowLength * 100 },
        grad: { buffer: 'sums', byteOffset: 0, elementCount: rowLength * 7 },
        state: { slab: 0, element: 128, elementCount: rowLength * 100, isPadded: true },
      },
      { limits, paddingOf: () => 0 },
    )[0]!;

  test('has lanes of four elements, vec4s where rows are whole ones on their boundaries', () => {
    const { access, laneCount, data, dataBase, rows, state, stateStart } = plan(8, 272);
    expect(access).toMatchObject({ data: 'vector', grad: 'vector', state: 'vector', rowLength: 8 });
    expect([laneCount, dataBase, stateStart]).toEqual([14, 1, 0]);
    expect(data).toEqual({ buffer: 'table', offset: 256, size: 16 + 3200 });
    expect(rows).toEqual({ buffer: 'rows', offset: 0, size: 28 });
    expect(state).toEqual({ slab: 0, element: 128, elementCount: 800 });
  });

  test.for([
    [5, 272, 14, 4, 'gather'],
    [8, 260, 14, 1, 'vector'],
  ] as const)(
    'gathers elements otherwise: rows of %i from byte %i',
    ([rowLength, byteOffset, lanes, base, ofState]) => {
      const { access, laneCount, dataBase } = plan(rowLength, byteOffset);
      expect(access).toMatchObject({ data: 'gather', state: ofState, rowLength });
      expect([laneCount, dataBase]).toEqual([lanes, base]);
    },
  );
});

describe('the reference with a sparse gradient', () => {
  test('is lazy: rows that are not named keep weights and state, and t is that of the optimizer', () => {
    const weights = Float64Array.of(1, 2, 3, 4);
    const params = [{ name: 'w', data: weights, rowLength: 2 }];
    const reference = new ReferenceOptimizer({ rule: adam({ lr: 0.1 }), params });
    const dense = new ReferenceOptimizer({
      rule: adam({ lr: 0.1 }),
      params: [{ data: Float64Array.of(1, 2) }],
    });
    reference.step([{ indices: [0], values: [1, -1] }]);
    dense.step([[1, -1]]);
    reference.step([{ indices: [1], values: [5, 5] }]);
    expect([...weights.subarray(0, 2)]).toEqual([...dense.readParam('param0')]);
    expect([...reference.readState('w', 'exp_avg')]).toEqual(
      [0.1 * 1, 0.1 * -1, 0.1 * 5, 0.1 * 5].map((x) => expect.closeTo(x, 15)),
    );
    // m̂/√v̂ with the corrections of step 2, for moments of one gradient.
    const moved = (0.1 * 0.1 * 5) / (1 - 0.9 ** 2) / (Math.sqrt((0.001 * 25) / (1 - 0.999 ** 2)) + 1e-8);
    expect(weights[2]).toBeCloseTo(3 - moved, 12);
  });

  test('decays the rows that are named, and no others', () => {
    const data = Float64Array.of(1, 1, 1);
    const rule = sgd({ lr: 1, weightDecay: 0.5, weightDecayMode: 'decoupled' });
    new ReferenceOptimizer({ rule, params: [{ data, rowLength: 1 }] }).step([{ indices: [2], values: [0] }]);
    expect([...data]).toEqual([1, 1, 0.5]);
  });

  test('takes a dense gradient of a table as well', () => {
    const data = Float64Array.of(1, 2, 3, 4);
    const reference = new ReferenceOptimizer({ rule: sgd({ lr: 1 }), params: [{ data, rowLength: 2 }] });
    reference.step([[1, 1, 1, 1]]);
    reference.step([{ indices: [1], values: [1, 1] }]);
    expect([...data]).toEqual([0, 1, 1, 2]);
  });

  test('clips by the norm of the sums', () => {
    const params = [{ data: Float64Array.of(0, 0), rowLength: 1 }];
    const reference = new ReferenceOptimizer({ rule: sgd(), params, maxGradNorm: 1 });
    reference.step([{ indices: [0, 1, 0], values: [1, 4, 2] }]);
    expect(reference.stats().gradNorm).toBe(5);
  });

  test.for<[string, () => unknown]>([
    [
      'rowLength is 0',
      () => new ReferenceOptimizer({ rule: sgd(), params: [{ data: new Float32Array(4), rowLength: 0 }] }),
    ],
    [
      'not a whole number of rows of 3',
      () => new ReferenceOptimizer({ rule: sgd(), params: [{ data: new Float32Array(4), rowLength: 3 }] }),
    ],
    [
      'ema is taken of all weights',
      () =>
        new ReferenceOptimizer({
          rule: sgd(),
          ema: { decay: 0.5 },
          params: [{ data: new Float32Array(4), rowLength: 2, grad: { indices: [0], values: [1, 2] } }],
        }),
    ],
    [
      'novograd measures all weights and gradients of a tensor',
      () =>
        new ReferenceOptimizer({
          rule: novograd(),
          params: [{ data: new Float32Array(4), rowLength: 2 }],
        }).step([{ indices: [0], values: [1, 2] }]),
    ],
    [
      'has 2 indices and 3 values',
      () =>
        new ReferenceOptimizer({ rule: sgd(), params: [{ data: new Float32Array(4), rowLength: 2 }] }).step([
          { indices: [0, 1], values: [1, 2, 3] },
        ]),
    ],
    [
      'is undefined; give 4 numbers, in a typed array or a plain one, or { indices, values }',
      () =>
        new ReferenceOptimizer({ rule: sgd(), params: [{ data: new Float32Array(4), rowLength: 2 }] }).step(),
    ],
    [
      'is { indices, values }; give 4 numbers',
      () =>
        new ReferenceOptimizer({ rule: sgd(), params: [{ data: new Float32Array(4) }] }).step([
          { indices: [0], values: [1] },
        ]),
    ],
  ])('refuses: %s', ([message, call]) => {
    expect(call).toThrow(OptimizerError);
    expect(call).toThrow(message);
  });
});
