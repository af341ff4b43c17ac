import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { planDispatches } from '../../src/engine/plan/plan.js';
import type { Piece, PlanLimits } from '../../src/engine/plan/planned.js';
import { type Tensor, findRuns, joinPieces } from '../../src/engine/plan/runs.js';

const WORD = 4;
const PADDING = 256;

const LIMITS: PlanLimits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
};

const piece = (buffer: string, offset: number, count: number): Piece<string> => ({
  buffer,
  byteOffset: WORD * offset,
  byteLength: WORD * count,
});

/** Tensors behind one another with gaps in words, gradients at the same places of another buffer. */
function row(lengths: readonly number[], gaps: readonly number[], gradShift = 0): Tensor<string>[] {
  let offset = 0;
  return lengths.map((length, k) => {
    const start = offset + (gaps[k % gaps.length] ?? 0);
    offset = start + length;
    return { data: [piece('d', start, length)], grad: [piece('g', start + gradShift, length)] };
  });
}

const callers = () => 0;
const arena = () => PADDING;

describe('runs of neighbouring tensors', () => {
  test('a thousand tensors of an arena, each at an aligned offset, take one dispatch', () => {
    const tensors = row(
      Array.from({ length: 1000 }, () => 1000),
      [0],
    ).map((_, k) => ({
      data: [piece('d', 1024 * k, 1000)],
      grad: [piece('g', 1024 * k, 1000)],
    }));
    expect(planDispatches(tensors, LIMITS, true, arena).dispatches).toHaveLength(1);
    expect(planDispatches(tensors, LIMITS, true, callers).dispatches).toHaveLength(1000);
  });

  test('a caller’s own tensors are joined if nothing lies between them', () => {
    expect(findRuns(row([5, 7, 9], [0]), callers)).toHaveLength(1);
    expect(findRuns(row([5, 7, 9], [1]), callers)).toHaveLength(3);
  });

  test('in whatever order they are named', () => {
    const tensors = row([5, 7, 9], [0]);
    const [run] = findRuns([tensors[2]!, tensors[0]!, tensors[1]!], callers);
    expect(run!.members.map(({ index, start }) => [index, start])).toEqual([
      [1, 0],
      [2, 20],
      [0, 48],
    ]);
  });

  test.for([
    ['gradients lie at other distances', [piece('g', 5, 5), piece('g', 11, 5)]],
    ['gradients lie in other buffers', [piece('g', 0, 5), piece('other', 5, 5)]],
    ['both read one gradient', [piece('g', 0, 5), piece('g', 0, 5)]],
  ] as const)('not if %s', ([, grads]) => {
    const tensors = row([5, 5], [0]).map(({ data }, k) => ({ data, grad: [grads[k]!] }));
    expect(findRuns(tensors, arena)).toHaveLength(2);
  });

  test('not if there is room for a tensor of somebody else between them', () => {
    expect(findRuns(row([8, 8], [0, PADDING / WORD - 1]), arena)).toHaveLength(1);
    expect(findRuns(row([8, 8], [0, PADDING / WORD]), arena)).toHaveLength(2);
  });

  test('every word of every tensor is covered once, with its own gradient and state, and nothing but padding else', () => {
    const layouts = fc.record({
      lengths: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 12 }),
      gaps: fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 5 }),
      gradShift: fc.integer({ min: 0, max: 3 }),
      maxStorageBufferBindingSize: fc.integer({ min: 8, max: 64 }).map((n) => n * 256),
    });
    const check = fc.property(layouts, ({ lengths, gaps, gradShift, maxStorageBufferBindingSize }) => {
      const tensors = row(lengths, gaps, gradShift);
      const limits = { ...LIMITS, maxStorageBufferBindingSize };
      const plan = planDispatches(tensors, limits, true, arena);
      // Where the state of each word of each tensor is said to lie.
      const stateOf = new Map<number, string>();
      plan.stateRegions.forEach((regions, t) => {
        let word = tensors[t]!.data[0]!.byteOffset / WORD;
        for (const { bufferIndex, byteOffset, byteLength } of regions) {
          for (let k = 0; k < byteLength; k += WORD) stateOf.set(word++, `${bufferIndex}:${byteOffset + k}`);
        }
        expect(word * WORD).toBe(tensors[t]!.data[0]!.byteOffset + tensors[t]!.data[0]!.byteLength);
      });
      const seen = new Set<number>();
      for (const { access, segment, data, grad, state } of plan.dispatches) {
        for (let lane = 0; lane < segment.laneCount; lane++) {
          const position = access.laneWidth === 1 && lane >= segment.split ? lane + segment.skip : lane;
          for (let k = 0; k < access.laneWidth; k++) {
            const index = (base: number, vector: boolean) =>
              vector ? 4 * (base + position) + k : base + access.laneWidth * position + k;
            const word = data.offset / WORD + index(segment.dataBase, access.dataAccess === 'vector');
            const gradWord = grad!.offset / WORD + index(segment.gradBase, access.gradAccess === 'vector');
            const stateByte = state.offset + WORD * index(segment.stateBase, access.laneWidth === 4);
            if (gradWord !== word + gradShift || seen.has(word)) throw new Error(`word ${word} is wrong`);
            seen.add(word);
            const expected = stateOf.get(word);
            if (expected !== undefined && expected !== `${state.bufferIndex}:${stateByte}`)
              throw new Error(`state of word ${word} is at ${stateByte}, not at ${expected}`);
          }
        }
      }
      for (const word of stateOf.keys()) if (!seen.has(word)) throw new Error(`word ${word} is left out`);
      // Beside them padding only: less than a tensor's alignment behind a tensor, or up to a whole vec4.
      for (const word of seen) {
        if (stateOf.has(word)) continue;
        let before = word;
        while (before >= 0 && !stateOf.has(before)) before -= 1;
        expect(WORD * (word - before)).toBeLessThan(PADDING);
      }
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 60 });
  });
});

describe('joined pieces', () => {
  test('stretch over padding, and overlap only on request', () => {
    const pieces = [piece('d', 64, 10), piece('d', 0, 60), piece('d', 70, 10), piece('e', 0, 4)];
    expect(joinPieces(pieces, callers, false)).toHaveLength(4);
    expect(joinPieces(pieces, arena, false)).toHaveLength(3);
    expect(joinPieces(pieces, arena, true)).toEqual([piece('d', 0, 80), piece('e', 0, 4)]);
  });
});
