import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import {
  type Batch,
  batchCapacity,
  canShare,
  joinBatch,
  planBatches,
} from '../../src/engine/plan/batches.js';
import { BindGroupCache } from '../../src/engine/bind-group-cache.js';
import { planDispatches } from '../../src/engine/plan/plan.js';
import type { PlanLimits, PlannedDispatch } from '../../src/engine/plan/planned.js';
import type { Tensor } from '../../src/engine/plan/runs.js';
import { type Rule, adam, lars, sgd } from '../../src/index.js';

const LIMITS: PlanLimits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
};

const piece = (buffer: string, offset: number, count: number) => ({
  buffer,
  byteOffset: 4 * offset,
  byteLength: 4 * count,
});

/** Tensors in buffers of their own. */
const ownBuffers = (lengths: readonly number[]): Tensor<string>[] =>
  lengths.map((length, k) => ({ data: [piece(`d${k}`, 0, length)], grad: [piece(`g${k}`, 0, length)] }));

/** The batches of a step, as the engine makes them. */
function batchesOf(
  tensors: readonly Tensor<string>[],
  rule: Rule,
  storageBufferCount: number,
  limits = LIMITS,
): { dispatches: readonly PlannedDispatch<string>[]; composition: number[][]; batches: Batch<string>[] } {
  const { dispatches } = planDispatches(tensors, limits, rule.declaration.slots.length > 0);
  const composition = planBatches(dispatches, limits, (dispatch) =>
    batchCapacity(rule, dispatch, storageBufferCount),
  );
  const batches = composition.map((parts) => joinBatch(parts.map((k) => dispatches[k]!)));
  return { dispatches, composition, batches };
}

const thousand = ownBuffers(Array.from({ length: 1000 }, () => 1000));

describe('batches of small tensors', () => {
  test.for([
    ['adam', 8, 3, adam()],
    ['adam', 10, 4, adam()],
    ['adam with a third slot', 8, 2, adam({ amsgrad: true })],
    ['sgd', 8, 4, sgd()],
    ['sgd', 1000, 8, sgd()],
    ['adam', 4, 1, adam()],
    ['a rule with norms', 1000, 1, lars()],
  ] as const)('%s with %i storage buffers: %i in one dispatch', ([, storageBufferCount, together, rule]) => {
    const { batches } = batchesOf(thousand, rule, storageBufferCount);
    expect(batches).toHaveLength(Math.ceil(1000 / together));
    expect(batches[0]!.access.together ?? 1).toBe(together);
    expect(batches.at(-1)!.parts).toHaveLength(1000 % together || together);
  });

  test('gradients in the weights’ buffer need one binding for both', () => {
    const tensors = Array.from({ length: 12 }, (_, k) => ({
      data: [piece(`both${k}`, 0, 100)],
      grad: [piece(`both${k}`, 100, 100)],
    }));
    expect(batchesOf(tensors, adam(), 8).batches.map(({ parts }) => parts.length)).toEqual([6, 6]);
  });

  test('large tensors stay by themselves, others by their kind', () => {
    const tensors = ownBuffers([2048, 2052, 5, 64, 3, 1_000_000]);
    expect(batchesOf(tensors, adam(), 10).composition).toEqual([[0, 3], [1], [2, 4], [5]]);
  });

  test('what one writes in a buffer that another reads keeps them apart, and so do writable ranges that meet', () => {
    // The bindings of the first two begin and end within the same 256 bytes; the third reads the first's weights' buffer.
    const tensors: Tensor<string>[] = [
      { data: [piece('w', 0, 8)], grad: [piece('g', 0, 8)] },
      { data: [piece('w', 16, 8)], grad: [piece('g', 24, 8)] },
      { data: [piece('x', 0, 8)], grad: [piece('w', 128, 8)] },
      { data: [piece('w', 64, 8)], grad: [piece('g', 0, 8)] },
    ];
    expect(batchesOf(tensors, adam(), 10).composition).toEqual([[0, 3], [1], [2]]);
  });

  test('each planned dispatch is in one batch, with the bindings and the state that it had', () => {
    const tensorArbitrary = fc.record({
      dataBuffer: fc.integer({ min: 0, max: 5 }),
      gradBuffer: fc.integer({ min: 0, max: 5 }),
      length: fc.integer({ min: 1, max: 3000 }),
      gap: fc.integer({ min: 0, max: 70 }),
    });
    const check = fc.property(
      fc.array(tensorArbitrary, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 4, max: 20 }),
      fc.constantFrom(2 ** 14, 2 ** 27),
      (drawn, storageBufferCount, maxStorageBufferBindingSize) => {
        const limits = { ...LIMITS, maxStorageBufferBindingSize };
        const end = Array.from({ length: 6 }, () => 0);
        const reserve = (buffer: number, length: number, gap: number) => {
          const start = end[buffer]! + gap;
          end[buffer] = start + length;
          return [piece(`b${buffer}`, start, length)];
        };
        const tensors = drawn.map(({ dataBuffer, gradBuffer, length, gap }) => ({
          data: reserve(dataBuffer, length, gap),
          grad: reserve(gradBuffer, length, gap),
        }));
        const { dispatches, composition, batches } = batchesOf(tensors, adam(), storageBufferCount, limits);
        expect(composition.flat().toSorted((a, b) => a - b)).toEqual([...dispatches.keys()]);
        batches.forEach(({ parts, access, state }, b) => {
          const bindingCount = 2 + parts.length * (access.gradBinding === 'shared' ? 1 : 2);
          expect(bindingCount).toBeLessThanOrEqual(storageBufferCount);
          expect(state.size).toBeLessThanOrEqual(maxStorageBufferBindingSize);
          parts.forEach((part, k) => {
            const before = dispatches[composition[b]![k]!]!;
            const { stateBase, ...segment } = part.segment;
            expect({ ...part, segment }).toEqual({ ...before, segment });
            const width = 4 * access.laneWidth;
            expect(state.bufferIndex).toBe(before.state.bufferIndex);
            expect(state.offset + width * stateBase).toBe(
              before.state.offset + width * before.segment.stateBase,
            );
            expect(state.offset + state.size).toBeGreaterThanOrEqual(before.state.offset + before.state.size);
            for (const other of parts.slice(0, k)) {
              expect(canShare(other, part)).toBe(true);
              expect(other.access).toEqual(part.access);
            }
          });
        });
      },
    );
    fc.assert(check, { seed: inject('seed'), numRuns: 200 });
  });
});

test('bind groups are found again, until there are more of them than are kept', () => {
  const cache = new BindGroupCache(4);
  const buffers = Array.from({ length: 3 }, () => ({})) as GPUBuffer[];
  let made = 0;
  const get = (first: number, second: number) =>
    cache.get([{ buffer: buffers[first]! }, { buffer: buffers[second]! }], '0', () => {
      made += 1;
      return {} as GPUBindGroup;
    });
  const combinations = [0, 1].flatMap((a) => [0, 1].map((b) => [a, b] as const));
  const groups = combinations.map(([a, b]) => get(a, b));
  expect(combinations.map(([a, b]) => get(a, b))).toEqual(groups);
  expect(new Set(groups).size).toBe(4);
  expect(made).toBe(4);
  get(2, 2);
  get(2, 2);
  expect(made).toBe(5);
  get(0, 0);
  expect(made).toBe(6);
});
