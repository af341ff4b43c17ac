/** Rows: where they lie, which dispatches reach them, and what is done to them on the CPU. */
import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { bytesOfPiece, doMeet } from '../../src/engine/input/parameter/columns.js';
import { resolveMapping } from '../../src/engine/input/map-input.js';
import { NameTable } from '../../src/engine/input/names.js';
import { Occupancy } from '../../src/engine/input/parameter/occupancy.js';
import { resolveParameter } from '../../src/engine/input/parameter/parameter.js';
import { adam, lamb, ReferenceOptimizer, sgd } from '../../src/index.js';
import type { Piece, PlanTensor } from '../../src/plan/pieces.js';
import { placeState, planStep } from '../../src/plan/plan.js';
import { planReduction } from '../../src/plan/reduction.js';
import { float32, float64 } from '../../src/reference/arithmetic/arithmetic.js';
import { divideRow } from '../../src/reference/tensor/constrain.js';
import { errorOf } from '../support/error-of.js';
import { fakeBuffer } from '../support/fake-buffer.js';
import { factsFor } from '../support/plan-world.js';

/** A column of rows that lie apart, or one range. */
const ranges = fc
  .record({
    start: fc.integer({ min: 0, max: 30 }),
    length: fc.integer({ min: 1, max: 4 }),
    gap: fc.constantFrom(0, 2, 3, 8),
    count: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ start, length, gap, count }): Piece<string> => ({
    buffer: 'b',
    byteOffset: 4 * start,
    elementCount: length * count,
    ...(gap > 0 && { rows: { length, byteStride: 4 * (length + gap) } }),
  }));

const bytesOf = ({ byteOffset, elementCount, rows }: Piece<string>): number[] =>
  Array.from({ length: elementCount }, (_, i) =>
    rows
      ? byteOffset + rows.byteStride * Math.floor(i / rows.length) + 4 * (i % rows.length)
      : byteOffset + 4 * i,
  );

describe('columns of one buffer', () => {
  test('meet where they share a byte, and of one stride nowhere else', () => {
    const check = fc.property(ranges, ranges, (a, b) => {
      const bytes = new Set(bytesOf(a));
      const shares = bytesOf(b).some((byte) => bytes.has(byte));
      const answer = doMeet(bytesOfPiece(a), bytesOfPiece(b));
      expect(doMeet(bytesOfPiece(b), bytesOfPiece(a))).toBe(answer);
      const isExact = !a.rows || !b.rows || a.rows.byteStride === b.rows.byteStride;
      if (isExact || shares) expect(answer).toBe(shares);
    });
    fc.assert(check, { numRuns: 2000 });
  });

  test('of different strides are told apart by what both are multiples of', () => {
    const at = (start: number, byteStride: number) => ({
      start,
      end: start + 480,
      rows: { byteLength: 4, byteStride },
    });
    expect(doMeet(at(0, 16), at(4, 24))).toBe(false);
    expect(doMeet(at(0, 16), at(8, 24))).toBe(true);
  });

  test('may be many parameters’ as long as none overlaps', async () => {
    const buffer = fakeBuffer(1000 * 6);
    const column = (name: string, first: number, rowLength: number, others: object = {}) =>
      resolveParameter(
        {
          name,
          rowLength,
          data: { buffer, offset: 4 * first, byteStride: 24 },
          grad: fakeBuffer(1000 * rowLength),
          ...others,
        },
        0,
      );
    const occupancy = new Occupancy();
    const grad = { buffer, offset: 16, byteStride: 24 };
    occupancy.claim([column('a', 0, 1), column('b', 1, 3), column('c', 5, 1, { grad })]);
    const error = await errorOf(() => occupancy.claim([column('d', 3, 2)]));
    expect(error.message).toMatch(/data of parameter "d" \(bytes 12 to 23996, 8 of every 24\) overlaps/);
    // A gradient that is read may be shared.
    const shared = { grad: { buffer, offset: 16, byteStride: 24 }, data: fakeBuffer(1000) };
    occupancy.claim([column('e', 0, 1, shared)]);
    const inGap = resolveParameter(
      { name: 'f', data: { buffer, offset: 16, size: 4 }, grad: fakeBuffer(1) },
      0,
    );
    expect((await errorOf(() => occupancy.claim([inGap]))).message).toContain('overlaps grad of parameter');
  });
});

describe('rows that move', () => {
  const parameter = (others: object) =>
    resolveParameter(
      { name: 'w', rowLength: 2, data: fakeBuffer(20), grad: fakeBuffer(20), length: 4, ...others },
      0,
    );
  const mapping = (others: object, moves: object = {}) => {
    const table = new NameTable([['w', { parameter: parameter(others) }]]);
    return resolveMapping(['w'], { from: new Uint32Array(5), rowCount: 5, ...moves }, table).tensors[0]!
      .parameter;
  };

  test('keep the place of their columns, and their mask as far as it goes', async () => {
    const data = { buffer: fakeBuffer(50), offset: 8, byteStride: 20 };
    const mask = fakeBuffer(5);
    const mapped = mapping({ data, rowMask: mask });
    expect(mapped.data).toEqual([
      { buffer: data.buffer, byteOffset: 8, elementCount: 10, rows: { length: 2, byteStride: 20 } },
    ]);
    expect(mapped.mask).toEqual({ buffer: mask, byteOffset: 0, elementCount: 5 });
    const short = await errorOf(() => mapping({ rowMask: fakeBuffer(4) }));
    expect(short.message).toContain(
      'rowMask of parameter "w" has room for 4 elements, but 5 rows of 1 need 5',
    );
    const inMask = await errorOf(() =>
      mapping({ rowMask: mask }, { data: { w: { buffer: mask, byteStride: 8 } } }),
    );
    expect(inMask.message).toContain('has room for 5 elements');
    const wide = fakeBuffer(30);
    const same = await errorOf(() => mapping({ rowMask: wide }, { data: { w: wide } }));
    expect(same.message).toContain('rowMask lies in the buffer of data');
  });

  test('take another mask, where there are to be more rows than the one that they have', async () => {
    const [data, more] = [fakeBuffer(30), fakeBuffer(9)];
    const moves = (rowMask: unknown) => ({ rowMask: { w: rowMask } });
    const given = { data, grad: fakeBuffer(30), rowMask: fakeBuffer(2) };
    const mapped = mapping(given, moves({ buffer: more, offset: 8 }));
    expect(mapped.mask).toEqual({ buffer: more, byteOffset: 8, elementCount: 5 });
    expect(mapped.room.mask).toEqual({ buffer: more, byteOffset: 8, elementCount: 7 });
    for (const [others, rowMask, complaint] of [
      [given, fakeBuffer(3), 'rowMask of parameter "w" has room for 3 elements, but 5 rows of 1 need 5'],
      [given, data, 'rowMask lies in the buffer of data'],
      [given, 7, 'parameter "w": rowMask is 7'],
      [{}, more, 'rowMask is given for parameter "w", which has none; leave it out'],
    ] as const) {
      const { message } = await errorOf(() => mapping(others, moves(rowMask)));
      expect(message).toContain(complaint);
    }
  });

  test('keep the stride of a table with a sparse gradient', () => {
    const data = { buffer: fakeBuffer(50), byteStride: 20 };
    const grad = { indices: fakeBuffer(2), values: fakeBuffer(4) };
    const { sparse, data: pieces } = mapping({ data, grad });
    expect(pieces[0]).toMatchObject({ elementCount: 10, rows: { byteStride: 20 } });
    expect(sparse).toMatchObject({ rowCount: 5, byteLength: 4 * 20 + 8 });
  });
});

describe('the dispatches of a table', () => {
  const spaced = (
    buffer: string,
    offset: number,
    rows: number,
    length: number,
    stride: number,
  ): Piece<string> => ({
    buffer,
    byteOffset: 4 * offset,
    elementCount: rows * length,
    ...(stride > length && { rows: { length, byteStride: 4 * stride } }),
  });
  const tables = fc.record({
    rows: fc.integer({ min: 1, max: 400 }),
    length: fc.integer({ min: 1, max: 9 }),
    // Rows without gaps, too, of which bindings hold parts.
    gap: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9 })),
    gradGap: fc.integer({ min: 0, max: 9 }),
    offset: fc.integer({ min: 0, max: 70 }),
    isShared: fc.boolean(),
    isMasked: fc.boolean(),
    isUnit: fc.boolean(),
  });

  test('reach each element once, in whole rows, whatever bindings hold', () => {
    const check = fc.property(tables, fc.constantFrom(1024, 4096, 2 ** 27), (table, most) => {
      const { rows, length, gap, gradGap, offset, isShared, isMasked, isUnit } = table;
      const facts = factsFor({ maxStorageBufferBindingSize: most });
      const stride = length + gap + (isShared ? length : 0);
      const tensor: PlanTensor<string> = {
        index: 0,
        row: 0,
        rowLength: length,
        data: [spaced('d', offset, rows, length, stride)],
        grad: [
          isShared
            ? spaced('d', offset + length, rows, length, stride)
            : spaced('g', 3, rows, length, length + gradGap),
        ],
        ...(isMasked && { mask: { buffer: 'm', byteOffset: 4, elementCount: rows } }),
        ...(isUnit && { constraint: 'unit-rows' }),
      };
      const { stateOfTensor } = placeState([tensor], facts, true);
      const placed = { ...tensor, state: stateOfTensor.get(0)! };
      const { batches } = planStep([placed], 1, facts, true);
      let row = 0;
      for (const { parts } of batches) {
        expect(parts).toHaveLength(1);
        const { data, dataBase, grad, gradBase, mask, maskBase, access, elementCount, laneCount } = parts[0]!;
        for (const bound of [data, grad, mask]) {
          if (!bound) continue;
          expect(bound.size).toBeLessThanOrEqual(most);
          expect(bound.offset % 256).toBe(0);
        }
        expect(elementCount % length).toBe(0);
        expect(laneCount).toBe(isUnit ? elementCount / length : Math.ceil(elementCount / 4));
        const unit = access.data === 'vector' ? 16 : 4;
        expect(data.offset + unit * dataBase).toBe(4 * (offset + stride * row));
        const gradUnit = access.grad === 'vector' ? 16 : 4;
        const gradStart = isShared ? offset + length + stride * row : 3 + (length + gradGap) * row;
        expect((grad ?? data).offset + gradUnit * gradBase).toBe(4 * gradStart);
        expect([access.dataStride, access.gradStride]).toEqual([
          stride > length ? stride : undefined,
          isShared ? stride : gradGap > 0 ? length + gradGap : undefined,
        ]);
        if (isMasked) expect(mask!.offset + 4 * maskBase!).toBe(4 + 4 * row);
        row += elementCount / length;
        const lastRow = dataBase * unit + 4 * (stride * (elementCount / length - 1) + length);
        expect(lastRow).toBeLessThanOrEqual(data.size);
      }
      expect(row).toBe(rows);
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 300 });
  });

  test('a row that no binding holds is refused', () => {
    const facts = factsFor({ maxStorageBufferBindingSize: 1024 });
    const tensor = { index: 0, row: 0, rowLength: 300, data: [spaced('d', 0, 2, 300, 310)] };
    expect(() => placeState([tensor], facts, true)).toThrow('too few for a row of 300');
  });

  test('columns of one buffer are steps of their own, neighbours with limits of their own, too', () => {
    const column = (index: number) => ({
      index,
      row: 0,
      rowLength: 1,
      data: [spaced('d', index, 50, 1, 2)],
      grad: [spaced(`g${index}`, 0, 50, 1, 1)],
    });
    const facts = factsFor();
    expect(planStep([column(0), column(1)], 0, facts, true).batches).toHaveLength(2);
    const limited = (index: number, min: number) => ({
      index,
      row: 0,
      data: [spaced('d', 8 * index, 8, 1, 1)],
      grad: [spaced('g', 8 * index, 8, 1, 1)],
      constraint: { min },
    });
    const runsOf = (mins: number[]) =>
      planStep(
        mins.map((min, k) => limited(k, min)),
        0,
        facts,
        true,
      ).runs.length;
    expect([runsOf([0, 0]), runsOf([0, 1])]).toEqual([1, 2]);
  });

  test('the norm looks at rows one by one where they lie apart or may be left alone', () => {
    const facts = {
      ...factsFor(),
      shapeOf: () => ({ workgroupSize: 32, lanesPerInvocation: 4, consecutive: true }),
    };
    const mask = { buffer: 'm', byteOffset: 8, elementCount: 20 };
    const table = { index: 0, row: 0, rowLength: 2, data: [spaced('d', 0, 20, 2, 2)] };
    const planned = (grad: Piece<string>[], others: object = {}) =>
      planReduction([{ ...table, grad, ...others }], facts, true).dispatches.map(({ parts }) => parts[0]!);
    const [apart] = planned([spaced('g', 1, 20, 2, 5)]);
    expect(apart).toMatchObject({
      access: 'strided',
      laneCount: 10,
      table: { rowLength: 2, stride: 5, maskBase: 0 },
    });
    const pieces = [spaced('g', 1, 8, 2, 2), spaced('h', 1, 12, 2, 2)];
    expect(planned(pieces, { mask }).map((part) => part.table)).toMatchObject([
      { maskBase: 2 },
      { maskBase: 10 },
    ]);
    expect(planned([spaced('g', 1, 20, 2, 2)])[0]!.table).toBeUndefined();
  });
});

describe('the reference over rows', () => {
  test('leaves rows alone whose number is 0, and reads the numbers at each step', () => {
    const mask = [1, 0];
    const data = Float64Array.of(1, 2, 3, 4);
    const params = [{ name: 'w', data, rowLength: 2, rowMask: mask }];
    const reference = new ReferenceOptimizer({ rule: adam({ lr: 0.1 }), params, skipNonFinite: true });
    reference.step([[3, 4, NaN, NaN]]);
    expect([...data.subarray(2)]).toEqual([3, 4]);
    expect(reference.stats()).toMatchObject({ step: 1, skipped: 0, gradNorm: 5 });
    expect([...reference.readState('w', 'exp_avg')].slice(2)).toEqual([0, 0]);
    mask[1] = 9;
    reference.step([[3, 4, NaN, 0]]);
    expect(reference.stats()).toMatchObject({ step: 1, skipped: 1 });
  });

  test('a rule with norms takes them of the rows that are stepped', () => {
    const [masked, alone] = [Float64Array.of(1, 2, 30, 40), Float64Array.of(1, 2)];
    const rule = lamb({ lr: 0.1 });
    const params = [{ data: masked, rowLength: 2, rowMask: [1, 0] }];
    new ReferenceOptimizer({ rule, params }).step([[1, 2, 3, 4]]);
    new ReferenceOptimizer({ rule, params: [{ data: alone }] }).step([[1, 2]]);
    expect([...masked]).toEqual([...alone, 30, 40]);
  });

  test('a factor on the rate of a column is a rate of its own, decoupled decay included', () => {
    const lrPerColumn = [1, 0.5, 0];
    const rule = (lr: number) => adam({ lr, weightDecay: 0.1, weightDecayMode: 'decoupled' });
    const data = Float64Array.of(1, 2, 3, 4, 5, 6);
    const columns = [0, 1, 2].map((k) => Float64Array.of(data[k]!, data[k + 3]!));
    const reference = new ReferenceOptimizer({
      rule: rule(0.25),
      params: [{ data, rowLength: 3, lrPerColumn }],
    });
    const groups = columns.map((column, k) => ({ lr: 0.25 * lrPerColumn[k]!, params: [{ data: column }] }));
    const apart = new ReferenceOptimizer({ rule: rule(0.25), groups });
    for (const g of [
      [1, -2, 3, 4, 5, -6],
      [6, 5, 4, 3, 2, 1],
    ]) {
      reference.step([g]);
      apart.step([0, 1, 2].map((k) => [g[k]!, g[k + 3]!]));
    }
    expect([...data]).toEqual([0, 1, 2, 3, 4, 5].map((i) => columns[i % 3]![Math.floor(i / 3)]!));
  });

  test('limits come behind the averages, as in Keras', () => {
    const data = Float64Array.of(1, -1);
    const params = [{ name: 'w', data, constraint: { min: -0.5, max: 0.5 } }];
    const reference = new ReferenceOptimizer({ rule: sgd({ lr: 1 }), params, ema: { decay: 0.5 } });
    reference.step([[-1, 0.75]]);
    expect([...data]).toEqual([0.5, -0.5]);
    expect([...reference.readState('w', 'ema')]).toEqual([1.5, -1.375].map((x) => expect.closeTo(x, 12)));
  });

  test('limits may be on one side', () => {
    const [low, high] = [Float64Array.of(3, -3), Float64Array.of(3, -3)];
    const params = [
      { data: low, constraint: { min: -1 } },
      { data: high, constraint: { max: 1 } },
    ];
    new ReferenceOptimizer({ rule: sgd(), params }).step([
      [0, 0],
      [0, 0],
    ]);
    expect([...low, ...high]).toEqual([3, -1, 1, -3]);
  });

  test('rows of a sparse gradient are constrained where they are named', () => {
    const data = Float64Array.of(3, 4, 3, 4);
    const params = [{ data, rowLength: 2, constraint: 'unit-rows' as const }];
    new ReferenceOptimizer({ rule: sgd(), params }).step([{ indices: [1], values: [0, 0] }]);
    expect([...data]).toEqual([3, 4, 0.6, 0.8].map((x) => expect.closeTo(x, 15)));
  });

  test.for<[string, readonly number[], readonly number[]]>([
    ['a row', [3, 0, -4], [0.6, 0, -0.8]],
    ['zeros', [0, -0, 0], [0, -0, 0]],
    ['NaN', [NaN, 1], [NaN, 1]],
    ['an infinity', [Infinity, 1], [Infinity, 1]],
    ['the largest numbers', [3e38, 3e38, 3e38, 3e38, 0], [0.5, 0.5, 0.5, 0.5, 0]],
    ['the smallest numbers', [2 ** -126, 0], [1, 0]],
    ['one number', [-7], [-1]],
  ])('%s, divided by its norm', ([, row, want]) => {
    for (const f of [float64, float32]) {
      divideRow(f, row.map(Math.fround)).forEach((x, k) => {
        if (Number.isFinite(want[k]))
          expect(Object.is(x, want[k]) || Math.abs(x - want[k]!) < 1e-7).toBe(true);
        else expect(x).toBe(want[k]);
      });
    }
    if (want[0] === 0) return;
    // Subnormals are zeros to a GPU.
    expect(divideRow(float32, [2 ** -130, 0])).toEqual([2 ** -130, 0]);
  });
});
