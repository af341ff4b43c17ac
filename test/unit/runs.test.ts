import { describe, expect, test } from 'vitest';
import {
  arenasAmong,
  paddingOf as paddingOfBuffer,
  registerArenaBuffer,
  rejectDestroyedArena,
} from '../../src/gpu/arena-buffers.js';
import { joinPieces, joinRuns } from '../../src/plan/join.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { placeState, planStep } from '../../src/plan/plan.js';
import { ARENA_PADDING, factsFor, piece } from '../support/plan-world.js';

/** Tensors behind one another with gaps in elements, gradients at the same places of another buffer. */
function neighbours(lengths: readonly number[], gaps: readonly number[]): PlanTensor<string>[] {
  let end = 0;
  return lengths.map((length, index) => {
    const start = end + (gaps[index % gaps.length] ?? 0);
    end = start + length;
    return { index, row: 0, data: [piece('d', start, length)], grad: [piece('g', start, length)] };
  });
}

const callers = () => 0;
const arena = () => ARENA_PADDING;

describe('runs of neighbouring tensors', () => {
  test('a thousand tensors of an arena, each at an aligned offset, take one dispatch', () => {
    const inBuffers = (d: string, g: string) =>
      Array.from({ length: 1000 }, (_, index) => ({
        index,
        row: 0,
        data: [piece(d, 1024 * index, 1000)],
        grad: [piece(g, 1024 * index, 1000)],
      }));
    const count = (tensors: PlanTensor<string>[]) => planStep(tensors, 0, factsFor(), true).runs.length;
    expect(count(inBuffers('arena d', 'arena g'))).toBe(1);
    expect(count(inBuffers('d', 'g'))).toBe(1000);
  });

  test('a caller’s own tensors are joined if nothing lies between them', () => {
    expect(joinRuns(neighbours([5, 7, 9], [0]), callers)).toHaveLength(1);
    expect(joinRuns(neighbours([5, 7, 9], [1]), callers)).toHaveLength(3);
  });

  test('in whatever order they are named', () => {
    const tensors = neighbours([5, 7, 9], [0]);
    const [run] = joinRuns([tensors[2]!, tensors[0]!, tensors[1]!], callers);
    expect(run!.members).toEqual([
      { index: 0, start: 0, elementCount: 5 },
      { index: 1, start: 5, elementCount: 7 },
      { index: 2, start: 12, elementCount: 9 },
    ]);
    expect(run!.data).toEqual([piece('d', 0, 21)]);
    expect(run!.grad).toEqual([piece('g', 0, 21)]);
  });

  test('runs come in the order of their first tensors', () => {
    const tensors = neighbours([5, 7, 9, 2], [0, 0, 1, 0]);
    const runs = joinRuns([tensors[3]!, tensors[1]!, tensors[2]!, tensors[0]!], callers);
    expect(runs.map(({ members }) => members.map(({ index }) => index))).toEqual([
      [2, 3],
      [0, 1],
    ]);
  });

  const pair = (second: Partial<PlanTensor<string>>): PlanTensor<string>[] => {
    const [one, two] = neighbours([5, 5], [0]);
    return [one!, { ...two!, ...second }];
  };
  test.for<[string, PlanTensor<string>[]]>([
    ['gradients lie at other distances', pair({ grad: [piece('g', 6, 5)] })],
    ['gradients lie in other buffers', pair({ grad: [piece('other', 5, 5)] })],
    ['both read one gradient', pair({ grad: [piece('g', 0, 5)] })],
    ['they are stepped with other rows', pair({ row: 1 })],
    [
      'one has no gradient',
      neighbours([5, 5], [0]).map(({ grad, ...tensor }, k) =>
        k === 0 ? tensor : { ...tensor, grad: grad! },
      ),
    ],
    ['the gradient of one is gathered', pair({ isGathered: true })],
    ['one lies in pieces', pair({ data: [piece('d', 5, 2), piece('e', 0, 3)] })],
    ['one is a table', pair({ rows: { buffer: 'r', entryCount: 1, rowLength: 5 } })],
    [
      'state lies at other distances',
      neighbours([5, 5], [0]).map((tensor, k) => ({
        ...tensor,
        state: [{ slab: 0, element: 8 * k, elementCount: 5, isPadded: true }],
      })),
    ],
    [
      'state lies in other slabs',
      neighbours([5, 5], [0]).map((tensor, k) => ({
        ...tensor,
        state: [{ slab: k, element: 5 * k, elementCount: 5, isPadded: true }],
      })),
    ],
  ])('not if %s', ([, tensors]) => {
    expect(joinRuns(tensors, arena)).toHaveLength(2);
  });

  test('not if there is room for a tensor of somebody else between them', () => {
    expect(joinRuns(neighbours([8, 8], [0, ARENA_PADDING / 4 - 1]), arena)).toHaveLength(1);
    expect(joinRuns(neighbours([8, 8], [0, ARENA_PADDING / 4]), arena)).toHaveLength(2);
  });

  test('padding of one buffer alone joins nothing, nor does what lies within a tensor of an arena', () => {
    const tensors = neighbours([8, 8], [0, 4]);
    expect(joinRuns(tensors, (buffer) => (buffer === 'g' ? 0 : ARENA_PADDING))).toHaveLength(2);
    expect(joinRuns(tensors, (buffer) => (buffer === 'd' ? 0 : ARENA_PADDING))).toHaveLength(2);
    expect(joinRuns(tensors, (_, end) => (end === 32 ? ARENA_PADDING : 0))).toHaveLength(1);
    expect(joinRuns(tensors, (_, end) => (end === 36 ? ARENA_PADDING : 0))).toHaveLength(2);
  });

  test('a split run leaves tensors their state, and joins again what is left', () => {
    const facts = factsFor();
    const tensors = neighbours([5, 8, 3], [0]);
    const { stateOfTensor, slabElementCounts } = placeState(tensors, facts, true);
    expect(slabElementCounts).toEqual([16]);
    const placed = tensors.map((tensor) => ({ ...tensor, state: stateOfTensor.get(tensor.index)! }));
    expect(placed.map(({ state }) => state)).toEqual([
      [{ slab: 0, element: 0, elementCount: 5, isPadded: false }],
      [{ slab: 0, element: 5, elementCount: 8, isPadded: false }],
      [{ slab: 0, element: 13, elementCount: 3, isPadded: true }],
    ]);
    const split = placed.map((tensor) => ({ ...tensor, row: tensor.index === 0 ? 1 : 0 }));
    expect(joinRuns(split, callers).map(({ state }) => state)).toEqual([
      [{ slab: 0, element: 0, elementCount: 5, isPadded: false }],
      [{ slab: 0, element: 5, elementCount: 11, isPadded: true }],
    ]);
  });
});

describe('joined pieces', () => {
  test('stretch over padding, and overlap only on request', () => {
    const pieces = [piece('d', 64, 10), piece('d', 0, 60), piece('d', 70, 10), piece('e', 0, 4)];
    expect(joinPieces(pieces, callers, false)).toHaveLength(4);
    expect(joinPieces(pieces, arena, false)).toHaveLength(3);
    expect(joinPieces(pieces, arena, true)).toEqual([piece('d', 0, 80), piece('e', 0, 4)]);
    const within = [piece('d', 0, 60), piece('d', 8, 4)];
    expect(joinPieces(within, callers, true)).toEqual([piece('d', 0, 60)]);
  });
});

test('an arena’s buffer has padding behind its tensors, and none within them', () => {
  const buffer = {} as GPUBuffer;
  const gaps = { padding: 256, ends: new Set([20, 300]) };
  registerArenaBuffer(buffer, { arena: 'test', isDestroyed: false }, gaps);
  expect([20, 300].map((end) => paddingOfBuffer(buffer, end))).toEqual([256, 256]);
  expect([0, 16, 256].map((end) => paddingOfBuffer(buffer, end))).toEqual([0, 0, 0]);
  expect(paddingOfBuffer({} as GPUBuffer, 20)).toBe(0);
});

test('arenas are known by their buffers, each once, and refused when they are destroyed', () => {
  const [about, gone] = [false, true].map((isDestroyed) => ({ arena: 'test', isDestroyed }));
  const buffers = [about!, about!, gone!].map((of) => {
    const buffer = {} as GPUBuffer;
    registerArenaBuffer(buffer, of, { padding: 256, ends: new Set() });
    return buffer;
  });
  expect(arenasAmong([...buffers.slice(0, 2), {} as GPUBuffer])).toEqual([about]);
  rejectDestroyedArena(arenasAmong(buffers.slice(0, 2)), 'step()');
  expect(() => rejectDestroyedArena(arenasAmong(buffers), 'step()')).toThrow(
    'the arena "test", which is destroyed',
  );
});
