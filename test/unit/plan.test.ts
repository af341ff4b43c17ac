import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { planDispatches } from '../../src/engine/plan/plan.js';
import type { Piece, Plan, PlanLimits } from '../../src/engine/plan/planned.js';

const WORD = 4;

/** Small limits, so that small tensors meet every boundary. */
const limitsArbitrary = fc.record({
  maxStorageBufferBindingSize: fc.integer({ min: 8, max: 64 }).map((n) => n * 256),
  minStorageBufferOffsetAlignment: fc.constantFrom(32, 256),
  maxBufferSize: fc.integer({ min: 64, max: 256 }).map((n) => n * 256),
});

interface Tensor {
  readonly data: Piece<string>[];
  readonly grad: Piece<string>[];
}

/** Cuts `count` elements at given fractions into pieces of buffers, each with a gap of its own before it. */
function cut(
  prefix: string,
  count: number,
  cuts: readonly number[],
  gaps: readonly number[],
): Piece<string>[] {
  const ends = [...new Set([...cuts.map((f) => Math.floor(f * count)), count])].filter((n) => n > 0);
  ends.sort((a, b) => a - b);
  return ends.map((end, k) => ({
    buffer: `${prefix}${k}`,
    byteOffset: WORD * (gaps[k % gaps.length] ?? 0),
    byteLength: WORD * (end - (ends[k - 1] ?? 0)),
  }));
}

const cutsArbitrary = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
const gapsArbitrary = fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 4 });

/** A tensor in several buffers, or with data and gradient in one. */
const tensorArbitrary: fc.Arbitrary<Tensor> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 30_000 }), cutsArbitrary, cutsArbitrary, gapsArbitrary, gapsArbitrary)
    .map(([count, dataCuts, gradCuts, dataGaps, gradGaps]) => ({
      data: cut('d', count, dataCuts, dataGaps),
      grad: cut('g', count, gradCuts, gradGaps),
    })),
  fc
    .tuple(
      fc.integer({ min: 1, max: 30_000 }),
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 0, max: 70 }),
      fc.boolean(),
    )
    .map(([count, before, between, gradFirst]) => {
      const low = { buffer: 'both', byteOffset: WORD * before, byteLength: WORD * count };
      const high = { ...low, byteOffset: WORD * (before + count + between) };
      return gradFirst ? { data: [high], grad: [low] } : { data: [low], grad: [high] };
    }),
);

/** The words of the tensor in order, as `buffer:byte`. */
const wordsOf = (pieces: readonly Piece<string>[]): string[] =>
  pieces.flatMap(({ buffer, byteOffset, byteLength }) =>
    Array.from({ length: byteLength / WORD }, (_, k) => `${buffer}:${byteOffset + WORD * k}`),
  );

/** What a plan does, element by element, by the shader's own index arithmetic. */
function simulate(tensor: Tensor, limits: PlanLimits): string[][] {
  return simulatePlan(planDispatches([tensor], limits, true));
}

function simulatePlan({ dispatches }: Plan<string>): string[][] {
  return dispatches.flatMap(({ access, segment, data, grad, state }) => {
    const gradBinding = grad ?? data;
    const word = (buffer: string | number, offset: number, size: number, index: number) => {
      // Not expect(): it is called a million times.
      if (index < 0 || WORD * index + WORD > size)
        throw new Error(`word ${index} is outside of ${size} bytes`);
      return `${buffer}:${offset + WORD * index}`;
    };
    const rows: string[][] = [];
    for (let lane = 0; lane < segment.laneCount; lane++) {
      const position = access.laneWidth === 1 && lane >= segment.split ? lane + segment.skip : lane;
      for (let k = 0; k < access.laneWidth; k++) {
        const index = (base: number, vector: boolean) =>
          vector ? 4 * (base + position) + k : base + access.laneWidth * position + k;
        rows.push([
          word(data.buffer, data.offset, data.size, index(segment.dataBase, access.dataAccess === 'vector')),
          word(
            gradBinding.buffer,
            gradBinding.offset,
            gradBinding.size,
            index(segment.gradBase, access.gradAccess === 'vector'),
          ),
          word(state.bufferIndex, state.offset, state.size, index(segment.stateBase, access.laneWidth === 4)),
        ]);
      }
    }
    return rows;
  });
}

describe('the dispatch plan', () => {
  test('covers every element exactly once, with its own gradient and a state word of its own', () => {
    const check = fc.property(tensorArbitrary, limitsArbitrary, (tensor, limits) => {
      const rows = simulate(tensor, limits);
      const gradOf = new Map(rows.map(([data, grad]) => [data, grad]));
      const dataWords = wordsOf(tensor.data);
      expect(rows.length).toBe(dataWords.length);
      expect(gradOf.size).toBe(dataWords.length);
      expect(new Set(rows.map(([, , state]) => state)).size).toBe(dataWords.length);
      expect(dataWords.map((word) => gradOf.get(word))).toEqual(wordsOf(tensor.grad));
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 60 });
  });

  test('keeps every binding within the device limits, and writable bindings of one buffer apart', () => {
    const check = fc.property(
      fc.array(tensorArbitrary, { minLength: 1, maxLength: 4 }),
      limitsArbitrary,
      (tensors, limits) => {
        const plan = planDispatches(tensors, limits, true);
        for (const byteLength of plan.stateByteLengths)
          expect(byteLength).toBeLessThanOrEqual(limits.maxBufferSize);
        for (const { data, grad, state, access, parameterIndex } of plan.dispatches) {
          expect(parameterIndex).toBeLessThan(tensors.length);
          for (const { offset, size } of [data, ...(grad ? [grad] : []), state]) {
            expect(offset % limits.minStorageBufferOffsetAlignment).toBe(0);
            expect(size % WORD).toBe(0);
            expect(size).toBeGreaterThanOrEqual(access.laneWidth * WORD);
            expect(size).toBeLessThanOrEqual(limits.maxStorageBufferBindingSize);
          }
          expect(grad === undefined).toBe(access.gradBinding === 'shared');
          expect(data.buffer === (grad ?? data).buffer).toBe(access.gradBinding !== 'read');
          if (access.gradBinding === 'read_write') {
            const apart = data.offset + data.size <= grad!.offset || grad!.offset + grad!.size <= data.offset;
            expect(apart).toBe(true);
          }
        }
      },
    );
    fc.assert(check, { seed: inject('seed'), numRuns: 200 });
  });

  test('gives each element of each tensor state of its own', () => {
    const check = fc.property(
      fc.array(tensorArbitrary, { minLength: 2, maxLength: 5 }),
      limitsArbitrary,
      (tensors, limits) => {
        const { stateRegions } = planDispatches(tensors, limits, true);
        const all = stateRegions
          .flat()
          .toSorted((a, b) => a.bufferIndex - b.bufferIndex || a.byteOffset - b.byteOffset);
        for (const [k, region] of all.entries()) {
          const next = all[k + 1];
          if (next?.bufferIndex === region.bufferIndex) {
            expect(region.byteOffset + region.byteLength).toBeLessThanOrEqual(next.byteOffset);
          }
        }
        stateRegions.forEach((regions, t) => {
          const byteLength = regions.reduce((sum, region) => sum + region.byteLength, 0);
          expect(byteLength).toBe(tensors[t]!.data.reduce((sum, piece) => sum + piece.byteLength, 0));
        });
      },
    );
    fc.assert(check, { seed: inject('seed'), numRuns: 200 });
  });

  const DEFAULT_LIMITS: PlanLimits = {
    maxStorageBufferBindingSize: 2 ** 27,
    minStorageBufferOffsetAlignment: 256,
    maxBufferSize: 2 ** 28,
  };
  const tensor = (elements: number, dataOffset = 0, gradOffset = 0): Tensor => ({
    data: [{ buffer: 'd', byteOffset: WORD * dataOffset, byteLength: WORD * elements }],
    grad: [{ buffer: 'g', byteOffset: WORD * gradOffset, byteLength: WORD * elements }],
  });
  const dispatchCount = (t: Tensor) => planDispatches([t], DEFAULT_LIMITS, true).dispatches.length;

  test.for([
    ['aligned, a multiple of four', tensor(1_000_000), 1],
    ['small and ragged', tensor(1023, 1), 1],
    ['large and ragged', tensor(1_000_001, 3), 2],
    ['twice the binding limit, aligned', tensor(2 ** 26), 2],
    ['twice the binding limit, not aligned', tensor(2 ** 26, 4, 4), 3],
  ] as const)('uses as few dispatches as it can: %s', ([, t, count]) => {
    expect(dispatchCount(t)).toBe(count);
  });
});
