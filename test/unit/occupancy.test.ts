/** Whose bytes are whose, which buffers come next, and which parameters are left out. */
import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { NameTable, resolveSkip } from '../../src/engine/input/names.js';
import { Occupancy } from '../../src/engine/input/parameter/occupancy.js';
import { type ResolvedParameter, resolveParameter } from '../../src/engine/input/parameter/parameter.js';
import { resolveChanges } from '../../src/engine/input/rebind-input.js';
import { OptimizerError } from '../../src/errors.js';
import { errorOf } from '../support/error-of.js';
import { fakeBuffer } from '../support/fake-buffer.js';

const range = (buffer: GPUBuffer, first: number, count: number) => ({
  buffer,
  offset: 4 * first,
  size: 4 * count,
});
const parameterOf = (name: string, data: unknown, grad: unknown, others: object = {}): ResolvedParameter =>
  resolveParameter({ name, data, grad, ...others } as never, 0);

describe('bytes that are written are one parameter’s own', () => {
  const buffer = fakeBuffer(8);

  test('two names over one tensor: the advice does not untie them', async () => {
    const occupancy = new Occupancy();
    occupancy.claim([parameterOf('a', range(buffer, 0, 4), fakeBuffer(4))]);
    const tied = parameterOf('b', range(buffer, 0, 4), fakeBuffer(4));
    const error = await errorOf(() => occupancy.claim([tied]));
    expect(error.message).toContain('name it once and sum the gradients');
    const shifted = parameterOf('b', range(buffer, 2, 4), fakeBuffer(4));
    const overlap = await errorOf(() => occupancy.claim([shifted]));
    expect(overlap.message).toContain(
      'data of parameter "b" (bytes 8 to 24) overlaps data of parameter "a" (bytes 0 to 16)',
    );
    expect(overlap.message).toContain('give each its own bytes');
    const twice = parameterOf('c', [range(buffer, 4, 4), range(buffer, 4, 4)], fakeBuffer(8));
    expect((await errorOf(() => occupancy.claim([twice]))).message).toContain('overlaps');
    const entries = { indices: fakeBuffer(2), values: fakeBuffer(4) };
    for (const role of ['indices', 'values', 'count'] as const) {
      const grad = { ...entries, [role]: range(buffer, 0, role === 'count' ? 1 : role === 'values' ? 4 : 2) };
      const table = parameterOf('table', fakeBuffer(4), grad, { rowLength: 2 });
      expect((await errorOf(() => occupancy.claim([table]))).message).toContain('overlaps');
    }
  });

  test('gradients may be shared, unless they are accumulated into', async () => {
    const grad = fakeBuffer(4);
    const occupancy = new Occupancy();
    const shared = ['a', 'b'].map((name) => parameterOf(name, fakeBuffer(4), grad));
    occupancy.claim(shared);
    const accumulated = parameterOf('c', fakeBuffer(4), grad, { microGrad: fakeBuffer(4) });
    expect((await errorOf(() => occupancy.claim([accumulated]))).message).toContain('grad of parameter');
  });

  test('bytes that were left are free, and a refused or undone claim leaves all as it was', async () => {
    const [first, second] = [fakeBuffer(4), fakeBuffer(4)];
    const occupancy = new Occupancy();
    const a = parameterOf('a', first, fakeBuffer(4));
    const moved = { ...a, data: parameterOf('a', second, fakeBuffer(4)).data };
    const b = parameterOf('b', first, fakeBuffer(4));
    occupancy.claim([a]);
    await errorOf(() => occupancy.claim([moved, b, parameterOf('c', second, fakeBuffer(4))]));
    await errorOf(() => occupancy.claim([b]));
    const undo = occupancy.claim([moved]);
    occupancy.claim([b])();
    undo();
    await errorOf(() => occupancy.claim([b]));
    occupancy.claim([parameterOf('d', second, fakeBuffer(4))]);
    // Two change places in one call.
    const swap = { ...a, data: parameterOf('a', second, fakeBuffer(4)).data };
    const other = { ...b, name: 'd', data: parameterOf('d', first, fakeBuffer(4)).data };
    occupancy.claim([swap, other]);
    expect((await errorOf(() => occupancy.claim([b]))).message).toContain('parameter "d"');
  });

  test('as comparing all with all, whatever comes and moves', () => {
    const claims = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd'),
        data: fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 6 })),
        grad: fc.integer({ min: 0, max: 20 }),
        isUndone: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(claims, (list) => {
        const shared = fakeBuffer(32);
        const occupancy = new Occupancy();
        const held = new Map<string, ResolvedParameter>();
        for (const {
          name,
          data: [first, count],
          grad,
          isUndone,
        } of list) {
          const parameter = parameterOf(name, range(shared, first, count), range(shared, grad, count));
          const all = [...held.values()].filter((other) => other.name !== name);
          let undo: (() => void) | undefined;
          try {
            undo = occupancy.claim([parameter]);
          } catch (error) {
            expect(error).toBeInstanceOf(OptimizerError);
          }
          expect(undo !== undefined).toBe(isFree([...all, parameter]));
          if (isUndone) undo?.();
          else if (undo) held.set(name, parameter);
        }
      }),
      { seed: inject('seed') },
    );
  });
});

/** Whether no weights share bytes with anything else. */
function isFree(parameters: readonly ResolvedParameter[]): boolean {
  const spans = parameters.flatMap(({ data, grad }) =>
    [data[0]!, grad[0]!].map(({ byteOffset, elementCount }, role) => ({
      start: byteOffset,
      end: byteOffset + 4 * elementCount,
      isWritten: role === 0,
    })),
  );
  return spans.every((one, i) =>
    spans.every(
      (other, j) =>
        i === j || !(one.isWritten || other.isWritten) || one.end <= other.start || other.end <= one.start,
    ),
  );
}

describe('rebind', () => {
  const table = new NameTable<{ parameter: ResolvedParameter }>();
  const [data, grad] = [fakeBuffer(4), fakeBuffer(4)];
  table.set('w', { parameter: parameterOf('w', data, grad) });
  table.set('part', { parameter: parameterOf('part', fakeBuffer(9), fakeBuffer(9), { length: 4 }) });

  test('finds what changes', () => {
    const next = fakeBuffer(4);
    const changes = Object.assign(Object.create(null) as object, {
      w: { grad: next },
      part: { data: fakeBuffer(6) },
    });
    const [w, part] = resolveChanges(changes, table);
    expect(w!.parameter).toMatchObject({ name: 'w', data: [{ buffer: data }], grad: [{ buffer: next }] });
    expect(part!.parameter).toMatchObject({ data: [{ elementCount: 4 }], hasLength: true });
    expect(resolveChanges({ w: { data, grad: range(grad, 0, 4) } }, table)).toEqual([]);
    const long = fakeBuffer(8);
    const at = new NameTable<{ parameter: ResolvedParameter }>();
    at.set('w', { parameter: parameterOf('w', range(long, 0, 4), grad) });
    expect(resolveChanges({ w: { data: range(long, 0, 4) } }, at)).toEqual([]);
    const [shifted] = resolveChanges({ w: { data: range(long, 4, 4) } }, at);
    expect(shifted!.parameter.data).toEqual([{ buffer: long, byteOffset: 16, elementCount: 4 }]);
    expect(resolveChanges({ w: Object.create(null) as object, part: undefined }, table)).toEqual([]);
  });

  test.for<[string, unknown]>([
    [
      'data has 5 elements, but the parameter has 4; rebind() changes no lengths',
      { w: { data: fakeBuffer(5) } },
    ],
    ['grad has 3 elements, but the parameter has 4', { w: { grad: fakeBuffer(3) } }],
    ['data has 3 elements, but the parameter has 4', { part: { data: fakeBuffer(3) } }],
    ['there is no parameter "v"; there are "w", "part"', { v: {} }],
    ['unknown option "gradient"', { w: { gradient: grad } }],
    ['null is no change', { w: null }],
    ['is no record of changes', [{ w: { grad } }]],
  ])('refuses: %s', async ([message, changes]) => {
    expect((await errorOf(() => resolveChanges(changes, table))).message).toContain(message);
  });
});

describe('skip', () => {
  const table = new NameTable<number>();
  ['a', 'b', 'c'].forEach((name, k) => table.set(name, k));
  const skipped = (options: unknown) => [...(resolveSkip(options, table, 'encode()') ?? [])];

  test('takes any iterable of names', () => {
    function* names() {
      yield 'c';
      yield 'a';
    }
    expect(skipped({ skip: ['b', 'b'] })).toEqual([1]);
    expect(skipped({ skip: new Set(['a', 'c']) })).toEqual([0, 2]);
    expect(skipped({ skip: names() })).toEqual([2, 0]);
    for (const none of [undefined, {}, { skip: undefined }, { skip: [] }])
      expect(resolveSkip(none, table, 'encode()')).toBeUndefined();
  });

  test.for<[string, unknown]>([
    ['there is no parameter "d"; there are "a", "b", "c"', { skip: ['a', 'd'] }],
    ['there is no parameter undefined', { skip: [undefined] }],
    ['skip is "a"; give a list of names', { skip: 'a' }],
    ['skip is 1', { skip: 1 }],
    ['a Set; names to be skipped are given as { skip: names }', new Set(['a'])],
    ['names to be skipped are given as { skip: names }', ['a']],
    ['give { skip: names }', 'a'],
    ['unknown option "skipped"', { skipped: ['a'] }],
  ])('refuses: %s', async ([message, options]) => {
    expect((await errorOf(() => skipped(options))).message).toContain(message);
  });

  test('names are taken once', async () => {
    table.rejectTaken(['d', 'e']);
    expect((await errorOf(() => table.rejectTaken(['d', 'a']))).message).toContain('"a"');
    expect((await errorOf(() => table.rejectTaken(['d', 'd']))).message).toContain('"d"');
  });
});
