/** What a parameter may be, and what is refused with a remedy because it makes no sense. */
import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/engine/input/config.js';
import { resolveParameter } from '../../src/engine/input/parameter/parameter.js';
import { defineRule } from '../../src/rules/declaring/define-rule.js';
import { ftrl } from '../../src/rules/ftrl.js';
import { option } from '../../src/rules/options/option.js';
import { sgd } from '../../src/rules/sgd.js';
import { errorOf } from '../support/error-of.js';
import { fakeBuffer } from '../support/fake-buffer.js';

const parameter = (name: string, elementCount = 4) => ({
  name,
  data: fakeBuffer(elementCount),
  grad: fakeBuffer(elementCount),
});

describe('a parameter', () => {
  const resolve = (changes: object) => resolveParameter({ ...parameter('w'), ...changes }, 0);
  const entries = { indices: fakeBuffer(2), values: fakeBuffer(4) };
  const apart = (length: number) => ({ buffer: fakeBuffer(length), byteStride: 8 });
  const own = fakeBuffer(4);

  test('may have gradients in pieces', () => {
    const { grad, sparse } = resolve({ data: fakeBuffer(5), grad: [fakeBuffer(2), fakeBuffer(3)] });
    expect([grad.map(({ elementCount }) => elementCount), sparse]).toEqual([[2, 3], undefined]);
  });

  test('may have rows that lie apart, of the last of which no more than its elements is there', () => {
    const data = { buffer: fakeBuffer(10), offset: 8, byteStride: 20 };
    const { elementCount, data: pieces, grad } = resolve({ rowLength: 2, data, grad: fakeBuffer(4) });
    expect(elementCount).toBe(4);
    expect(pieces).toEqual([
      { buffer: data.buffer, byteOffset: 8, elementCount: 4, rows: { length: 2, byteStride: 20 } },
    ]);
    expect(grad[0]!.rows).toBeUndefined();
    const shorter = resolve({ rowLength: 2, data, grad: fakeBuffer(4), length: 2 });
    expect(shorter.data[0]).toMatchObject({ elementCount: 2, rows: { length: 2, byteStride: 20 } });
  });

  test('has no gaps where a stride is a row', () => {
    const data = { buffer: fakeBuffer(4), byteStride: 8 };
    expect(resolve({ rowLength: 2, data }).data).toEqual([
      { buffer: data.buffer, byteOffset: 0, elementCount: 4 },
    ]);
  });

  test('may say what is done to its rows and weights', () => {
    const mask = fakeBuffer(3);
    const lrPerColumn = Float32Array.of(0.5, 2);
    const {
      mask: resolved,
      columns,
      constraint,
    } = resolve({
      rowLength: 2,
      rowMask: mask,
      lrPerColumn,
      constraint: { max: 1 },
    });
    lrPerColumn.fill(9);
    expect([resolved, columns, constraint]).toEqual([
      { buffer: mask, byteOffset: 0, elementCount: 2 },
      [0.5, 2],
      { max: 1 },
    ]);
  });

  test('has rates per column only where the rule takes them', async () => {
    const strange = defineRule({
      name: 'strange',
      wgsl: '// 2026\n// w ← w − √η g\nfn update(w: lane, g: lane) -> lane {\n  return w - h.root * g;\n}',
      options: option.common(0.01),
      scalars: (_, lr) => ({ root: Math.sqrt(lr) }),
      reference: ({ sub, mul }, { w, g, h }) => sub(w, mul(h.root, g)),
    });
    const scaled = [{ ...parameter('w'), rowLength: 2, lrPerColumn: [0, 1] }];
    const errors = [strange(), ftrl()].map((rule) => errorOf(() => resolveConfig({ rule, params: scaled })));
    const messages = (await Promise.all(errors)).map(({ message }) => message);
    expect(messages[0]).toContain('"root" of strange is not proportional to the learning rate');
    expect(messages[1]).toContain('lrPerColumn has a 0, and the learning rate of ftrl is');
    expect(resolveConfig({ rule: sgd(), params: scaled }).groups[0]!.parameters[0]!.columns).toEqual([0, 1]);
  });

  test('may be the front of longer buffers, if it says so', () => {
    const { elementCount, data, grad } = resolve({ data: fakeBuffer(9), grad: fakeBuffer(6), length: 5 });
    expect([elementCount, data[0]!.elementCount, grad[0]!.elementCount]).toEqual([5, 5, 5]);
    const pieces = resolve({ data: [fakeBuffer(2), fakeBuffer(2), fakeBuffer(2)], length: 3 }).data;
    expect(pieces.map((piece) => piece.elementCount)).toEqual([2, 1]);
  });

  test('may say how long its rows are, whatever its gradient is', () => {
    expect([resolve({ rowLength: 2 }).rowLength, resolve({}).rowLength]).toEqual([2, undefined]);
    expect(resolve({ rowLength: 2, grad: entries }).rowLength).toBe(2);
  });

  test.for<[string, object]>([
    ['name is ""', { name: '' }],
    ['unknown option "lr"', { lr: 1 }],
    ['dtype is "f64"', { dtype: 'f64' }],
    ['data has 4 elements but grad has 3', { grad: fakeBuffer(3) }],
    ['length is 4; give an integer from 1 to 3', { grad: fakeBuffer(3), length: 4 }],
    ['length is 0', { length: 0 }],
    ['rowLength is 0; give the elements per row', { rowLength: 0 }],
    ['rowLength is "2"', { rowLength: '2' }],
    ['4 elements are not a whole number of rows of 3', { rowLength: 3 }],
    ['byteStride is 12, but there is no rowLength', { data: { buffer: fakeBuffer(4), byteStride: 12 } }],
    ['byteStride is 6 bytes', { rowLength: 1, data: { buffer: fakeBuffer(4), byteStride: 6 } }],
    ['byteStride is 4 bytes', { rowLength: 2, data: { buffer: fakeBuffer(4), byteStride: 4 } }],
    [
      'holds 1 elements, less than a row of 2',
      { rowLength: 2, data: { buffer: fakeBuffer(4), size: 4, byteStride: 12 } },
    ],
    ['data has 6 elements but grad has 4', { rowLength: 2, data: { buffer: fakeBuffer(8), byteStride: 12 } }],
    [
      'data[0] holds 3 elements, which are not whole rows of 2',
      {
        rowLength: 2,
        data: [{ buffer: fakeBuffer(3) }, { buffer: fakeBuffer(1) }],
        grad: { buffer: fakeBuffer(5), byteStride: 12 },
      },
    ],
    ['grad.values: byteStride is 8', { rowLength: 1, grad: { indices: fakeBuffer(2), values: apart(4) } }],
    ['rowMask is given without rowLength', { rowMask: fakeBuffer(4) }],
    ['rowMask has 1 numbers for 2 rows', { rowLength: 2, rowMask: fakeBuffer(1) }],
    ['rowMask is given with a sparse grad', { rowLength: 2, grad: entries, rowMask: fakeBuffer(2) }],
    ['rowMask is 7', { rowLength: 2, rowMask: 7 }],
    ['rowMask lies in the buffer of data', { rowLength: 2, data: own, rowMask: own }],
    ['lrPerColumn is given without rowLength', { lrPerColumn: [1] }],
    ['lrPerColumn is [1]; give 2 numbers', { rowLength: 2, lrPerColumn: [1] }],
    ['lrPerColumn is 1; give 2 numbers', { rowLength: 2, lrPerColumn: 1 }],
    ['lrPerColumn[1] is NaN; give a finite number ≥ 0', { rowLength: 2, lrPerColumn: [1, NaN] }],
    ['lrPerColumn[0] is -1', { rowLength: 2, lrPerColumn: [-1, 1] }],
    ['lrPerColumn[0] is 1e-46', { rowLength: 2, lrPerColumn: [1e-46, 1] }],
    [
      'rowLength is 8193; it goes up to 8192',
      { rowLength: 8193, data: fakeBuffer(8193), grad: fakeBuffer(8193), lrPerColumn: [] },
    ],
    ['constraint is "unit"', { constraint: 'unit' }],
    ['unknown option "low"', { constraint: { low: 0 } }],
    ['which limits nothing; give min, max or both', { constraint: {} }],
    ['constraint.min is NaN', { constraint: { min: NaN } }],
    ['constraint.max is Infinity', { constraint: { max: Infinity } }],
    ['constraint.max is 1e+39', { constraint: { max: 1e39 } }],
    ['constraint.min is "0"', { constraint: { min: '0' } }],
    ['constraint.min 2 is above max 1', { constraint: { min: 2, max: 1 } }],
    ['"unit-rows" and rowLength undefined', { constraint: 'unit-rows' }],
    [
      '"unit-rows" and rowLength 65',
      { rowLength: 65, data: fakeBuffer(65), grad: fakeBuffer(65), constraint: 'unit-rows' },
    ],
    ['microGrad is given with a sparse grad', { grad: entries, rowLength: 2, microGrad: fakeBuffer(4) }],
    ['without STORAGE', { data: Object.assign(fakeBuffer(4), { usage: 0x8 }) }],
    ['empty array', { data: [] }],
    ['offset 20 is beyond', { data: { buffer: fakeBuffer(4), offset: 20 } }],
    ['offset 4 + size 16 is beyond', { data: { buffer: fakeBuffer(4), offset: 4, size: 16 } }],
    ['offset is 2 bytes', { data: { buffer: fakeBuffer(4), offset: 2 } }],
    ['size is 0 bytes', { data: { buffer: fakeBuffer(4), size: 0 } }],
    ['data has 3 elements but grad has 4', { data: { buffer: fakeBuffer(4), offset: 4 } }],
  ])('is refused: %s', async ([message, changes]) => {
    const error = await errorOf(() => resolve(changes));
    expect([error.code, error.message]).toEqual(['invalid-parameter', expect.stringContaining(message)]);
  });
});
