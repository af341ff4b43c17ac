import { describe, expect, test } from 'vitest';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { planNorms } from '../../src/plan/norms/plan-norms.js';
import { factsFor, piece } from '../support/plan-world.js';

const own = (index: number, elementCount: number): PlanTensor<string> => ({
  index,
  row: 0,
  data: [piece(`d${index}`, 0, elementCount)],
  grad: [piece(`g${index}`, 0, elementCount)],
});

/** Neighbours in one buffer, of some lengths, weights and gradients alike. */
function neighbours(buffer: string, lengths: readonly number[]): PlanTensor<string>[] {
  let start = 0;
  return lengths.map((elementCount, index) => {
    const first = start;
    start += elementCount;
    return {
      index,
      row: 0,
      data: [piece(`${buffer} data`, first, elementCount)],
      grad: [piece(`${buffer} grad`, first, elementCount)],
    };
  });
}

describe('norms of tensors, each by itself', () => {
  test('a dispatch covers all neighbours, and as many buffers as can be bound', () => {
    const together = planNorms(neighbours('one', [8, 4, 20_000]), factsFor(), false);
    expect(together.dispatches).toMatchObject([{ access: 'vector', portionCount: 5 }]);
    expect(together.items).toEqual([
      { index: 0, firstPartial: 0, partialCount: 1 },
      { index: 1, firstPartial: 1, partialCount: 1 },
      { index: 2, firstPartial: 2, partialCount: 3 },
    ]);
    expect(together.portions.map(({ base }) => base)).toEqual([0, 2, 3, 3 + 2048, 3 + 4096]);
    // Neighbours that begin within a lane are read one by one.
    const within = planNorms(neighbours('one', [5, 11]), factsFor(), false);
    expect(within.dispatches).toMatchObject([{ access: 'gather' }]);
    expect(within.portions.map(({ base }) => base)).toEqual([0, 5]);
    const apart = Array.from({ length: 20 }, (_, k) => own(k, 8));
    const boundOf = (isCopied: boolean) =>
      planNorms(apart, factsFor(), isCopied).dispatches.map(({ parts }) => parts.length);
    expect(boundOf(false)).toEqual([7, 7, 6]);
    expect(boundOf(true)).toEqual([6, 6, 6, 2]);
  });

  test('portions cover each element once, across pieces and limits of bindings', () => {
    const tensor: PlanTensor<string> = {
      index: 3,
      row: 0,
      data: [piece('d', 0, 30_000)],
      grad: [piece('g', 1, 10_000), piece('g', 20_003, 20_000)],
    };
    const facts = factsFor({ maxStorageBufferBindingSize: 2 ** 16 });
    const { portions, items, places } = planNorms([tensor], facts, true);
    const elementCount = portions.reduce((sum, portion) => sum + portion.elementCount, 0);
    expect(elementCount).toBe(30_000);
    expect(items).toEqual([{ index: 3, firstPartial: 0, partialCount: portions.length }]);
    expect(new Set(portions.map(({ partial }) => partial)).size).toBe(portions.length);
    expect(places.get(3)!.reduce((sum, place) => sum + place.elementCount, 0)).toBe(30_000);
  });

  test('copies of neighbours stay neighbours; others begin at a lane, in as many buffers as it takes', () => {
    const kept = planNorms(neighbours('one', [8, 12, 5]), factsFor(), true);
    expect([...kept.places.values()]).toEqual([
      [{ slab: 0, lane: 0, elementCount: 8 }],
      [{ slab: 0, lane: 2, elementCount: 12 }],
      [{ slab: 0, lane: 5, elementCount: 5 }],
    ]);
    expect(kept.slabLaneCounts).toEqual([7]);
    const moved = planNorms(neighbours('one', [5, 12]), factsFor(), true);
    expect([...moved.places.values()].flat().map(({ lane }) => lane)).toEqual([0, 2]);
    const facts = factsFor({ maxStorageBufferBindingSize: 2 ** 16, maxBufferSize: 2 ** 16 });
    const many = planNorms([own(0, 12_000), own(1, 12_000), own(2, 4)], facts, true);
    expect([...many.places.values()].flat().map(({ slab }) => slab)).toEqual([0, 1, 1]);
    expect(many.dispatches.map(({ slab, parts }) => [slab, parts.length])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    // Each binding of a large copy begins where the device allows.
    const large = planNorms([own(0, 5), own(1, 5000)], factsFor(), true);
    expect([...large.places.values()].flat().map(({ lane }) => lane)).toEqual([0, 16]);
  });

  test('the entries of a sparse gradient may be more than the table has', () => {
    const table = {
      ...own(0, 8),
      grad: [piece('sums', 0, 64)],
      rows: { buffer: 'rows', entryCount: 32, rowLength: 2 },
    };
    const { places, slabLaneCounts } = planNorms([table, own(1, 4)], factsFor(), true);
    expect([...places.values()].flat().map(({ lane }) => lane)).toEqual([0, 16]);
    expect(slabLaneCounts).toEqual([17]);
  });

  test('rows that lie apart, and masked ones, have a dispatch of their own', () => {
    const rows = { length: 3, byteStride: 20 };
    const apart: PlanTensor<string> = {
      index: 0,
      row: 0,
      rowLength: 3,
      data: [piece('d', 0, 30_000)],
      grad: [{ ...piece('g', 2, 30_000), rows }],
      mask: piece('m', 65, 10_000),
    };
    const other = {
      ...apart,
      index: 2,
      rowLength: 3,
      grad: [{ ...piece('h', 2, 3000), rows }],
      data: [piece('e', 0, 3000)],
    };
    const { dispatches, portions } = planNorms([apart, own(1, 9), other], factsFor(), false);
    expect(dispatches).toMatchObject([
      {
        access: 'strided',
        table: { rowLength: 3, stride: 5, maskBase: 1, mask: { buffer: 'm', offset: 256 } },
      },
      { access: 'gather' },
      { access: 'strided', parts: [{ binding: { buffer: 'h' } }] },
    ]);
    expect(portions.slice(0, 4).map(({ base, first }) => [base, first])).toEqual([
      [2, 0],
      [2, 8192],
      [2, 16_384],
      [2, 24_576],
    ]);
  });
});
