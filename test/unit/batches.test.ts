import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { type Rule, adam, sgd } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { joinBatch, planBatches } from '../../src/plan/batches.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { placeState, planStep } from '../../src/plan/plan.js';
import type { Stretch } from '../../src/plan/stretch.js';
import { checkBindings, checkCoverage } from '../support/plan-simulation.js';
import { DEFAULT_LIMITS, factsFor, piece } from '../support/plan-world.js';

/** Tensors in buffers of their own. */
const ownBuffers = (lengths: readonly number[]): PlanTensor<string>[] =>
  lengths.map((length, index) => ({
    index,
    row: 0,
    data: [piece(`d${index}`, 0, length)],
    grad: [piece(`g${index}`, 0, length)],
  }));

/** The plan of a step, as the engine makes it. */
function planOf(tensors: readonly PlanTensor<string>[], rule: Rule, limits = {}, joins = true) {
  const facts = factsFor(limits);
  const slotCount = layoutOf(rule).elementSlots.length;
  const { stateOfTensor, slabElementCounts } = placeState(tensors, facts, joins);
  const placed = tensors.map((tensor) => ({
    ...tensor,
    ...(slotCount > 0 && { state: stateOfTensor.get(tensor.index)! }),
  }));
  const plan = planStep(placed, slotCount, facts, joins);
  checkBindings(plan, slotCount, facts, slabElementCounts);
  return {
    ...plan,
    plan,
    placed,
    together: plan.batches.map(({ parts }) => parts.map(({ index }) => index)),
  };
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
  ] as const)('%s with %i storage buffers: %i in one dispatch', ([, count, together, rule]) => {
    const { batches } = planOf(thousand, rule, { maxStorageBuffersPerShaderStage: count });
    expect(batches).toHaveLength(Math.ceil(1000 / together));
    expect(batches[0]!.parts).toHaveLength(together);
    expect(batches.at(-1)!.parts).toHaveLength(1000 % together || together);
  });

  test('where each is looked at as a whole, one in one dispatch', () => {
    expect(planOf(thousand, sgd(), {}, false).batches).toHaveLength(1000);
  });

  test('gradients in the weights’ buffer need one binding for both', () => {
    const tensors = Array.from({ length: 12 }, (_, index) => ({
      index,
      row: 0,
      data: [piece(`both${index}`, 0, 100)],
      grad: [piece(`both${index}`, 100, 100)],
    }));
    expect(planOf(tensors, adam()).together.map(({ length }) => length)).toEqual([6, 6]);
  });

  test('gathered gradients need one binding for all', () => {
    const tensors = ownBuffers(Array.from({ length: 10 }, () => 8)).map((tensor) => ({
      ...tensor,
      grad: [piece('workspace', 8 * tensor.index, 8)],
      isGathered: true,
    }));
    const { plan, placed, batches } = planOf(tensors, adam());
    expect(batches.map(({ parts }) => parts.length)).toEqual([5, 5]);
    checkCoverage(plan, placed);
    expect(batches.map(({ grad }) => grad)).toEqual([
      { buffer: 'workspace', offset: 0, size: 160 },
      { buffer: 'workspace', offset: 0, size: 320 },
    ]);
  });

  test('gathered gradients that one binding cannot reach are in two dispatches', () => {
    const tensors = ownBuffers([8, 8]).map((tensor) => ({
      ...tensor,
      grad: [piece('workspace', 1024 * tensor.index, 8)],
      isGathered: true,
    }));
    expect(planOf(tensors, sgd(), { maxStorageBufferBindingSize: 4096 }).together).toEqual([[0], [1]]);
    expect(planOf(tensors, sgd(), { maxStorageBufferBindingSize: 8192 }).together).toEqual([[0, 1]]);
  });

  test('large tensors stay by themselves, others by their kind and row', () => {
    expect(
      planOf(ownBuffers([2048, 2052, 5, 64, 3, 1_000_000]), adam(), { maxStorageBuffersPerShaderStage: 10 })
        .together,
    ).toEqual([[0, 3], [1], [2, 4], [5]]);
    const rows = ownBuffers([64, 64, 64, 64]).map((tensor) => ({ ...tensor, row: tensor.index % 2 }));
    expect(planOf(rows, adam()).together).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  test('what one writes in a buffer that another reads keeps them apart, and so do writable ranges that meet', () => {
    // The bindings of the first two begin and end within the same 256 bytes; the third reads the first's weights' buffer.
    const at = (index: number, data: PlanTensor<string>['data'][0], grad: typeof data) => ({
      index,
      row: 0,
      data: [data],
      grad: [grad],
    });
    const tensors = [
      at(0, piece('w', 0, 8), piece('g', 0, 8)),
      at(1, piece('w', 16, 8), piece('g', 24, 8)),
      at(2, piece('x', 0, 8), piece('w', 128, 8)),
      at(3, piece('w', 64, 8), piece('g', 0, 8)),
    ];
    const { together } = planOf(tensors, adam(), { maxStorageBuffersPerShaderStage: 10 });
    expect(together).toEqual([[0, 3], [1], [2]]);
  });

  test('one binding reaches the state of all, in whatever order it lies', () => {
    // Each is near enough to the first, but not to each other.
    const far = [8192, 16_384 - 8, 0];
    const stretches = ownBuffers([8, 8, 8]).map((tensor, k): Stretch<string> => {
      const state = [{ slab: 0, element: far[k]!, elementCount: 8, isPadded: true }];
      return planStep([{ ...tensor, state }], 1, factsFor(), true).batches[0]!.parts[0]!;
    });
    const compose = (maxStorageBufferBindingSize: number) =>
      planBatches(stretches, 1, { ...DEFAULT_LIMITS, maxStorageBufferBindingSize }, false);
    expect(compose(4 * 16_384)).toEqual([[0, 1, 2]]);
    expect(compose(4 * 16_384 - 256)).toEqual([[0, 1], [2]]);
    expect(joinBatch(stretches).state).toEqual({ slab: 0, element: 0, elementCount: 16_384 });
  });

  test('a dispatch has the lanes of its longest part, for each part has workgroups of its own', () => {
    const { batches } = planStep(ownBuffers([8, 100, 60]), 0, factsFor(), true);
    expect(batches.map(({ parts, laneCount }) => [parts.length, laneCount])).toEqual([[3, 25]]);
  });

  test('each planned stretch is in one batch, as it was', () => {
    const tensorArbitrary = fc.record({
      dataBuffer: fc.integer({ min: 0, max: 5 }),
      gradBuffer: fc.integer({ min: 0, max: 5 }),
      length: fc.integer({ min: 1, max: 3000 }),
      gap: fc.integer({ min: 0, max: 70 }),
      row: fc.nat(1),
    });
    const check = fc.property(
      fc.array(tensorArbitrary, { minLength: 1, maxLength: 14 }),
      fc.integer({ min: 4, max: 20 }),
      fc.constantFrom(2 ** 14, 2 ** 27),
      (drawn, maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize) => {
        const end = Array.from({ length: 6 }, () => 0);
        const reserve = (buffer: number, length: number, gap: number) => {
          const start = end[buffer]! + gap;
          end[buffer] = start + length;
          return [piece(`b${buffer}`, start, length)];
        };
        const tensors = drawn.map(({ dataBuffer, gradBuffer, length, gap, row }, index) => ({
          index,
          row,
          data: reserve(dataBuffer, length, gap),
          grad: reserve(gradBuffer, length, gap),
        }));
        const limits = { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize };
        const { plan, placed, batches, runs } = planOf(tensors, adam(), limits);
        checkCoverage(plan, placed);
        const inBatches = new Set(batches.flatMap(({ parts }) => parts));
        const inRuns = runs.flatMap(({ stretches, places }) =>
          stretches.map((stretch, k) => ({ stretch, ...places[k]! })),
        );
        expect(inRuns).toHaveLength(inBatches.size);
        for (const { stretch, batch, part } of inRuns) {
          const { parts, access, row } = batches[batch]!;
          expect(parts[part]).toBe(stretch);
          expect([stretch.access, stretch.row]).toEqual([access, row]);
        }
      },
    );
    fc.assert(check, { seed: inject('seed'), numRuns: 60 });
  });

  test('ten thousand tensors of which no two can share a dispatch are compared with a few each', () => {
    // The ranges of all meet: each begins within the same 256 bytes as the one before ends.
    let looks = 0;
    const stretches = Array.from({ length: 10_000 }, (_, k): Stretch<string> => {
      const data = { buffer: 'w', offset: 0, size: 256 };
      return {
        index: k,
        row: 0,
        access: { data: 'gather', grad: 'gather', state: 'vector', gradBinding: 'read' },
        elementCount: 8,
        firstElement: 0,
        laneCount: 2,
        get data() {
          looks += 1;
          return data;
        },
        dataBase: 0,
        grad: { buffer: `g${k}`, offset: 0, size: 32 },
        gradBase: 0,
        stateStart: 0,
      };
    });
    expect(planBatches(stretches, 0, DEFAULT_LIMITS, false)).toHaveLength(10_000);
    // A comparison looks at both, several times.
    expect(looks).toBeLessThan(100 * stretches.length);
    expect(looks).toBeGreaterThan(stretches.length);
  });
});
