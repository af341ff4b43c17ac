import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { planMove } from '../../src/plan/move.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { type StepPlan, placeState, planStep } from '../../src/plan/plan.js';
import { errorOf } from '../support/error-of.js';
import { checkCoverage } from '../support/plan-simulation.js';
import { factsFor, piece, worlds } from '../support/plan-world.js';

const facts = factsFor();
const SLOT_COUNT = 2;
const nameOf = (index: number) => `tensor ${index}`;

function planOf(tensors: readonly PlanTensor<string>[], of = facts, joins = true): StepPlan<string> {
  const { stateOfTensor } = placeState(tensors, of, joins);
  const placed = tensors.map((tensor) => ({ ...tensor, state: stateOfTensor.get(tensor.index)! }));
  return planStep(placed, SLOT_COUNT, of, joins);
}

/** Tensors in buffers of their own. */
const own = (index: number, elementCount: number, of = ''): PlanTensor<string> => ({
  index,
  row: 0,
  data: [piece(`d${index}${of}`, 0, elementCount)],
  grad: [piece(`g${index}${of}`, 0, elementCount)],
});

const change = (plan: StepPlan<string>, ...tensors: Partial<PlanTensor<string>>[]) =>
  new Map(tensors.map((tensor) => [tensor.index!, { ...plan.tensors.get(tensor.index!)!, ...tensor }]));

/** All that a plan says, but its maps as lists. */
const show = ({ tensors, runs, batches }: StepPlan<string>) =>
  structuredClone({ tensors: [...tensors], runs, batches });

describe('a plan over tensors that lie elsewhere', () => {
  test('is the plan that would have been made of them, and nothing changes before it is committed', () => {
    const check = fc.property(worlds(3000, 8), fc.nat(7), fc.nat(3), (world, chosen, shift) => {
      const of = factsFor({}, world);
      const plan = planOf(world.tensors, of);
      // The bytes of some buffers lie in others, at another place that is as aligned.
      const buffers = [...world.byteLengths.keys()].filter((_, k) => (chosen >> (k % 3)) % 2 === 0);
      const elsewhere = (pieces: PlanTensor<string>['data']) =>
        pieces.map((each) =>
          buffers.includes(each.buffer)
            ? { ...each, buffer: `${each.buffer} again`, byteOffset: each.byteOffset + 256 * shift }
            : each,
        );
      const wasAt = {
        ...of,
        paddingOf: (buffer: string, end: number) =>
          buffer.endsWith(' again')
            ? of.paddingOf(buffer.replace(' again', ''), end - 256 * shift)
            : of.paddingOf(buffer, end),
      };
      const changed = new Map(
        [...plan.tensors].map(([index, tensor]) => [
          index,
          { ...tensor, data: elsewhere(tensor.data), grad: elsewhere(tensor.grad!) },
        ]),
      );
      const before = show(plan);
      const move = planMove(plan, changed, wasAt, nameOf);
      expect(show(plan)).toEqual(before);
      move.commit();
      const tensors = world.tensors.map(({ index }) => changed.get(index)!);
      expect([...plan.tensors.values()]).toEqual(tensors);
      checkCoverage(plan, tensors);
      const fresh = planStep(tensors, SLOT_COUNT, wasAt, true);
      expect(show(plan)).toEqual(show(fresh));
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 80 });
  });

  test('is that plan where other things lie behind the tensors, or it is refused', () => {
    for (const elementCount of [1, 3, 4, 5, 4096, 4097, 4099]) {
      for (const [paddingBefore, paddingAfter] of [
        [0, 0],
        [0, 16],
        [16, 0],
        [16, 16],
      ] as const) {
        const of = {
          ...facts,
          paddingOf: (buffer: string) => (buffer.endsWith('!') ? paddingAfter : paddingBefore),
        };
        const plan = planOf([own(0, elementCount)], of);
        const changed = change(plan, own(0, elementCount, '!'));
        const fresh = planStep([...changed.values()], SLOT_COUNT, of, true);
        const isAlike = fresh.batches.every(({ access, parts }, k) => {
          const before = plan.batches[k];
          return (
            access.data === before?.access.data && parts[0]!.elementCount === before.parts[0]!.elementCount
          );
        });
        const what = `${elementCount} elements, padding ${paddingBefore} then ${paddingAfter}`;
        if (isAlike && fresh.batches.length === plan.batches.length) {
          planMove(plan, changed, of, nameOf).commit();
          expect(show(plan), what).toEqual(show(fresh));
        } else expect(() => planMove(plan, changed, of, nameOf), what).toThrow('other kernels');
      }
    }
  });

  test('looks at what has a part in it alone', () => {
    const plan = planOf(Array.from({ length: 9 }, (_, index) => own(index, 100)));
    expect(plan.batches).toHaveLength(3);
    const move = planMove(
      plan,
      change(plan, own(4, 100, '!'), { index: 4, data: [piece('new', 64, 100)] }),
      facts,
      nameOf,
    );
    const { batches } = move;
    expect([...batches.keys()]).toEqual([1]);
    expect(batches.get(1)!.parts.map(({ data }) => data)).toEqual([
      { buffer: 'd3', offset: 0, size: 400 },
      { buffer: 'new', offset: 256, size: 400 },
      { buffer: 'd5', offset: 0, size: 400 },
    ]);
    move.commit();
    expect(plan.batches[1]).toBe(batches.get(1));
    expect(plan.tensors.get(4)!.data).toEqual([piece('new', 64, 100)]);
  });

  test('passes over tensors that it does not have', () => {
    const plan = planOf([own(0, 8)]);
    const move = planMove(plan, new Map([[5, own(5, 8)]]), facts, nameOf);
    move.commit();
    expect(move.batches.size).toBe(0);
    expect([...plan.tensors.keys()]).toEqual([0]);
  });

  const neighbours = [
    { index: 0, row: 0, data: [piece('d', 0, 8)], grad: [piece('g', 0, 8)] },
    { index: 1, row: 0, data: [piece('d', 8, 8)], grad: [piece('g', 8, 8)] },
    { index: 2, row: 0, data: [piece('d', 16, 8)], grad: [piece('g', 16, 8)] },
  ];

  test('moves neighbours together', () => {
    const plan = planOf(neighbours);
    const moved = neighbours.map(({ index, grad }) => ({
      index,
      data: [piece('e', 64 + 8 * index, 8)],
      grad,
    }));
    planMove(plan, change(plan, ...moved), facts, nameOf).commit();
    expect(plan.batches[0]!.parts[0]!.data).toEqual({ buffer: 'e', offset: 256, size: 96 });
  });

  test.for<[string, string, PlanTensor<string>[], Partial<PlanTensor<string>>[]]>([
    [
      'at another place within 256 bytes',
      'tensor 1',
      [own(0, 8), own(1, 8)],
      [{ index: 1, data: [piece('d1', 4, 8)] }],
    ],
    [
      'with the gradient at another place within 256 bytes',
      'tensor 0',
      [own(0, 8)],
      [{ index: 0, grad: [piece('g0', 4, 8)] }],
    ],
    ['at no vec4', 'tensor 0', [own(0, 8)], [{ index: 0, grad: [piece('g0', 1, 8)] }]],
    ['cut elsewhere', 'tensor 0', [own(0, 8)], [{ index: 0, data: [piece('d0', 0, 4), piece('e', 0, 4)] }]],
    [
      'with the gradient in the weights’ buffer',
      'tensor 0',
      [own(0, 8)],
      [{ index: 0, grad: [piece('d0', 64, 8)] }],
    ],
    ['away from its neighbour', 'tensor 0', neighbours, [{ index: 0, data: [piece('e', 0, 8)] }]],
    ['away from its neighbours, the last', 'tensor', neighbours, [{ index: 2, data: [piece('e', 64, 8)] }]],
    [
      'where neighbours have changed places',
      'tensor',
      neighbours,
      [
        { index: 1, data: [piece('d', 16, 8)], grad: [piece('g', 16, 8)] },
        { index: 2, data: [piece('d', 8, 8)], grad: [piece('g', 8, 8)] },
      ],
    ],
  ])('is refused where other kernels would be needed: %s', async ([, name, tensors, moved]) => {
    const plan = planOf(tensors);
    const before = show(plan);
    const error = await errorOf(() => planMove(plan, change(plan, ...moved), facts, nameOf));
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toContain(`rebind(): parameter "${name}`);
    expect(error.message).toContain('create a new optimizer from a state dict');
    expect(show(plan)).toEqual(before);
  });

  test('is refused where one of a dispatch would write what another reads, and both are named', async () => {
    const plan = planOf([own(0, 8), own(1, 8)]);
    expect(plan.batches).toHaveLength(1);
    const error = await errorOf(() =>
      planMove(plan, change(plan, { index: 1, grad: [piece('d0', 64, 8)] }), facts, nameOf),
    );
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toContain('"tensor 0" and "tensor 1" are stepped by one dispatch');
  });

  test('of tensors that are looked at as wholes is planned as they were', () => {
    const plan = planOf(neighbours, facts, false);
    expect(plan.batches).toHaveLength(3);
    planMove(plan, change(plan, { index: 1, data: [piece('e', 8, 8)] }), facts, nameOf).commit();
    expect(plan.batches.map(({ parts }) => parts[0]!.data.buffer)).toEqual(['d', 'e', 'd']);
  });
});
