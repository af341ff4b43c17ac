import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { OptimizerError } from '../../src/index.js';
import { slicePieces } from '../../src/plan/cut.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { type StatePlan, placeState, planStep } from '../../src/plan/plan.js';
import type { StretchFacts } from '../../src/plan/stretch.js';
import { checkBindings, checkCoverage } from '../support/plan-simulation.js';
import { type World, factsFor, piece, worlds } from '../support/plan-world.js';

const seed = inject('seed');

/** Small limits, so that small tensors meet every boundary; some are no multiple of a vec4, as on real devices. */
const smallLimits = fc.record({
  maxStorageBufferBindingSize: fc
    .tuple(fc.integer({ min: 8, max: 64 }), fc.constantFrom(0, 4))
    .map(([n, less]) => 256 * n - less),
  minStorageBufferOffsetAlignment: fc.constantFrom(32, 256),
  maxBufferSize: fc.integer({ min: 64, max: 256 }).map((n) => 256 * n),
  maxStorageBuffersPerShaderStage: fc.integer({ min: 4, max: 12 }),
});

test('slices are the elements that are asked for, wherever they lie', () => {
  const buffer = 'b';
  const pieces = [
    { buffer, byteOffset: 8, elementCount: 3 },
    { buffer, byteOffset: 40, elementCount: 5 },
    { buffer, byteOffset: 80, elementCount: 2 },
  ];
  const places = pieces.flatMap(({ byteOffset, elementCount }) =>
    Array.from({ length: elementCount }, (_, k) => byteOffset + 4 * k),
  );
  for (let first = 0; first < 10; first++) {
    for (let count = 1; first + count <= 10; count++) {
      const slices = slicePieces(pieces, first, count);
      const got = slices.flatMap(({ byteOffset, elementCount }) =>
        Array.from({ length: elementCount }, (_, k) => byteOffset + 4 * k),
      );
      expect(got).toEqual(places.slice(first, first + count));
    }
  }
  expect(slicePieces(pieces, 0, Infinity)).toEqual(pieces);
});

const SLOT_COUNT = 2;

/** The tensors with places for their state. */
function place(
  tensors: readonly PlanTensor<string>[],
  facts: StretchFacts<string>,
  joins: boolean,
): StatePlan & { placed: PlanTensor<string>[] } {
  const state = placeState(tensors, facts, joins);
  return {
    ...state,
    placed: tensors.map((each) => ({ ...each, state: state.stateOfTensor.get(each.index)! })),
  };
}

/** Plans a world as the engine does and looks at every word and binding. */
function checkWorld(world: World, limits: Partial<StretchFacts<string>['limits']>, joins: boolean) {
  const { tensors } = world;
  const facts = factsFor(limits, world);
  const { placed, slabElementCounts } = place(tensors, facts, joins);
  for (const elementCount of slabElementCounts)
    expect(4 * elementCount).toBeLessThanOrEqual(facts.limits.maxBufferSize);
  const plan = planStep(placed, SLOT_COUNT, facts, joins);
  checkCoverage(plan, [...placed, ...world.frozen]);
  checkBindings(plan, SLOT_COUNT, facts, slabElementCounts, world.byteLengths);
  return { facts, placed, plan, slabElementCounts };
}

describe('the plan of a step', () => {
  test('covers every element once, with its own gradient and state, and nothing that is somebody else’s', () => {
    const check = fc.property(worlds(3000, 8), smallLimits, fc.boolean(), (world, limits, joins) => {
      checkWorld(world, limits, joins);
    });
    fc.assert(check, { seed, numRuns: 100 });
  });

  test('without state or gradients covers as much', () => {
    const check = fc.property(worlds(3000, 6), smallLimits, fc.boolean(), (world, limits, hasGrad) => {
      const facts = factsFor(limits, world);
      const tensors = world.tensors.map(({ grad, ...tensor }) => (hasGrad ? { ...tensor, grad } : tensor));
      const plan = planStep(tensors as PlanTensor<string>[], 0, facts, true);
      checkCoverage(plan, tensors as PlanTensor<string>[]);
      checkBindings(plan, 0, facts, [], world.byteLengths);
    });
    fc.assert(check, { seed, numRuns: 60 });
  });

  test('reaches the state of tensors whose run is split later, and of those alone', () => {
    const check = fc.property(
      worlds(3000, 8),
      smallLimits,
      fc.array(fc.nat(2), { minLength: 8, maxLength: 8 }),
      (world, limits, rows) => {
        const { facts, placed, slabElementCounts } = checkWorld(world, limits, true);
        const split = placed.map((tensor, k) => ({ ...tensor, row: rows[k]! }));
        const plan = planStep(split, SLOT_COUNT, facts, true);
        checkCoverage(plan, [...split, ...world.frozen]);
        checkBindings(plan, SLOT_COUNT, facts, slabElementCounts, world.byteLengths);
        // A part of them alone leaves the others as they are.
        const some = split.filter(({ row }) => row === 0);
        if (some.length > 0) checkCoverage(planStep(some, SLOT_COUNT, facts, true), split);
      },
    );
    fc.assert(check, { seed, numRuns: 80 });
  });

  test('tiny binding limits end in one error, or in a plan that holds', () => {
    const tiny = fc.record({
      maxStorageBufferBindingSize: fc.integer({ min: 1, max: 300 }).map((n) => 4 * n),
      minStorageBufferOffsetAlignment: fc.constantFrom(32, 256),
      maxBufferSize: fc.constant(2 ** 20),
    });
    const seen = new Set<string>();
    const check = fc.property(worlds(600, 4), tiny, fc.boolean(), (world, limits, joins) => {
      try {
        checkWorld(world, limits, joins);
        seen.add('planned');
      } catch (error) {
        if (!(error instanceof OptimizerError)) throw error;
        expect(error.code).toBe('limit-exceeded');
        expect(error.message).toContain('maxStorageBufferBindingSize');
        seen.add('refused');
      }
    });
    fc.assert(check, { seed, numRuns: 400 });
    expect(seen).toEqual(new Set(['planned', 'refused']));
  });

  const own = (elementCount: number, dataOffset = 0, gradOffset = 0): PlanTensor<string> => ({
    index: 0,
    row: 0,
    data: [piece('d', dataOffset, elementCount)],
    grad: [piece('g', gradOffset, elementCount)],
  });

  test.for([
    ['aligned, a multiple of four', own(1_000_000), 1],
    ['small and ragged', own(1023, 1), 1],
    ['large and ragged', own(1_000_001, 3), 2],
    ['twice the binding limit, aligned', own(2 ** 26), 2],
    ['twice the binding limit, not aligned', own(2 ** 26, 4, 4), 3],
  ] as const)('uses as few dispatches as it can: %s', ([, tensor, count]) => {
    const facts = factsFor();
    const { placed } = place([tensor], facts, true);
    expect(planStep(placed, SLOT_COUNT, facts, true).batches).toHaveLength(count);
  });

  test('a binding of weights and gradients together is no longer than the device allows, to the last vec4', () => {
    // The last vec4 ends 4 bytes behind the last gradient; some devices have limits that are no multiple of 16.
    const tensor = { ...own(63), data: [piece('arena', 0, 63)], grad: [piece('arena', 192, 63)] };
    const bindingsAt = (maxStorageBufferBindingSize: number) => {
      const facts = factsFor({ maxStorageBufferBindingSize });
      const { placed, slabElementCounts } = place([tensor], facts, true);
      const plan = planStep(placed, SLOT_COUNT, facts, true);
      checkBindings(plan, SLOT_COUNT, facts, slabElementCounts);
      return plan.batches.map(({ access }) => access.gradBinding);
    };
    expect(bindingsAt(1024)).toEqual(['shared']);
    expect(bindingsAt(1020)).toEqual(['read_write']);
  });

  test.for([
    ['d', 'gather'],
    ['arena', 'vector'],
  ] as const)(
    'a last vec4 that is there in part is reached as a whole only where the rest is nobody’s: %s',
    ([buffer, access]) => {
      const facts = factsFor();
      const { placed } = place([{ ...own(10), data: [piece(buffer, 0, 10)] }], facts, true);
      const [batch] = planStep(placed, SLOT_COUNT, facts, true).batches;
      expect(batch!.access).toEqual({ data: access, grad: 'gather', state: 'vector', gradBinding: 'read' });
      expect(batch!.parts[0]!.data.size).toBe(access === 'vector' ? 48 : 40);
    },
  );

  test('what is nobody’s must be a whole vec4, or the last one is not reached as such', () => {
    for (const [padding, access] of [
      [0, 'gather'],
      [4, 'gather'],
      [12, 'gather'],
      [16, 'vector'],
    ] as const) {
      const facts = { ...factsFor(), paddingOf: () => padding };
      const { placed } = place([own(9)], facts, true);
      const [batch] = planStep(placed, SLOT_COUNT, facts, true).batches;
      expect([batch!.access.data, batch!.access.grad], `${padding} bytes`).toEqual([access, access]);
    }
  });

  test('one binding of weights and gradients has elements of one type', () => {
    const accessWith = (gradElement: number) => {
      const facts = factsFor();
      const tensor = { ...own(8), grad: [piece('d', gradElement, 8)] };
      const { placed } = place([tensor], facts, true);
      return planStep(placed, SLOT_COUNT, facts, true).batches.map(({ access }) => access);
    };
    const shared = { state: 'vector', gradBinding: 'shared' };
    expect(accessWith(8)).toEqual([{ data: 'vector', grad: 'vector', ...shared }]);
    expect(accessWith(9)).toEqual([{ data: 'gather', grad: 'gather', ...shared }]);
  });

  test('a table is one dispatch that knows its rows', () => {
    const table: PlanTensor<string> = {
      ...own(30),
      grad: [piece('sums', 0, 12)],
      rows: { buffer: 'rows', entryCount: 2, rowLength: 6 },
    };
    const facts = factsFor();
    const { placed } = place([table, { ...own(8, 0), index: 1, data: [piece('e', 0, 8)] }], facts, true);
    const { batches } = planStep(placed, SLOT_COUNT, facts, true);
    expect(batches.map(({ parts }) => parts.map(({ index }) => index))).toEqual([[0], [1]]);
    const [stretch] = batches[0]!.parts;
    // Two entries of two lanes each, none of them whole.
    expect(stretch).toMatchObject({
      laneCount: 4,
      access: { data: 'gather', grad: 'gather', state: 'gather', gradBinding: 'read', rowLength: 6 },
      rows: { buffer: 'rows', offset: 0, size: 8 },
      data: { buffer: 'd', offset: 0, size: 120 },
      grad: { buffer: 'sums', offset: 0, size: 48 },
    });
  });
});

test('ten thousand neighbours cost what their number is, not its square', () => {
  // Of a list that is copied for each, this would be a hundred million entries.
  let reads = 0;
  const counted = Array.from({ length: 10_000 }, (_, index) => ({
    index,
    row: 0,
    get data() {
      reads += 1;
      return [piece('arena w', 64 * index, 50)];
    },
    grad: [piece('arena g', 64 * index, 50)],
  }));
  const { placed } = place(counted, factsFor(), true);
  expect(planStep(placed, SLOT_COUNT, factsFor(), true).batches).toHaveLength(1);
  expect(reads).toBeLessThan(10 * counted.length);
});
