import { describe, expect, test } from 'vitest';
import { OptimizerError } from '../../src/index.js';
import { type ScheduleState, type StatefulSchedule, schedules } from '../../src/schedules.js';
import { isStatefulSchedule } from '../../src/schedules/schedule.js';

const { reduceOnPlateau, join, product, warmup } = schedules;

describe('states of other kinds', () => {
  const good = reduceOnPlateau({ lr: 1 }).state();

  test.for<[state: unknown, ...says: string[]]>([
    [undefined, 'the state is undefined', 'state()'],
    [[], 'the state is []', '"reduceOnPlateau"'],
    [{ ...good, kind: 'join' }, 'of kind "join"', '"reduceOnPlateau"'],
    [{ ...good, lr: -1 }, 'lr of the state is -1', '≥ 0'],
    [{ ...good, best: NaN }, 'best of the state is NaN', 'null'],
    [{ ...good, numBadEpochs: 0.5 }, 'numBadEpochs of the state is 0.5', 'an integer ≥ 0'],
    [{ ...good, cooldownCounter: undefined }, 'cooldownCounter of the state is undefined', 'an integer ≥ 0'],
    [{ ...good, patience: 3 }, '"patience"', 'cooldownCounter'],
  ])('%j is refused, and nothing changes', ([state, ...says]) => {
    const schedule = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    schedule.report(3);
    const before = schedule.state();
    const thrown = catchError(() => schedule.loadState(state as ScheduleState));
    expect(thrown.code).toBe('invalid-state-dict');
    for (const part of says) expect(thrown.message).toContain(part);
    expect(schedule.state()).toEqual(before);
  });
});

test('a state is a copy, both ways', () => {
  const schedule = reduceOnPlateau({ lr: 1 });
  Object.assign(schedule.state(), { lr: 9 });
  expect(schedule(0)).toBe(1);
  const loaded = { ...schedule.state(), lr: 0.5 };
  schedule.loadState(loaded);
  loaded.lr = 9;
  expect(schedule(0)).toBe(0.5);
});

describe('inside other schedules', () => {
  test('it is reported to by its own name, and its state is carried', () => {
    const make = () => {
      const plateau = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
      const whole = join([0.1, warmup(plateau, { warmupSteps: 2 })], [3]);
      return { plateau, whole: whole as StatefulSchedule };
    };
    const first = make();
    first.plateau.report(1);
    first.plateau.report(1);
    expect([0, 3, 4, 5].map(first.whole)).toEqual([0.1, 0, 0.25, 0.5]);
    expect(isStatefulSchedule(first.whole)).toBe(true);
    const second = make();
    expect(second.whole(5)).toBe(1);
    second.whole.loadState(JSON.parse(JSON.stringify(first.whole.state())) as ScheduleState);
    expect(second.whole(5)).toBe(0.5);
    expect(second.plateau.state()).toEqual(first.plateau.state());
  });

  test('a product carries the state of its factors', () => {
    const make = () => {
      const plateau = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
      return { plateau, whole: product([0.5, schedules.inverseSqrt(1), plateau]) as StatefulSchedule };
    };
    const first = make();
    first.plateau.report(1);
    first.plateau.report(1);
    expect([0, 3].map(first.whole)).toEqual([0.25, 0.125]);
    expect(first.whole.kind).toBe('product');
    const second = make();
    expect(second.whole(3)).toBe(0.25);
    second.whole.loadState(JSON.parse(JSON.stringify(first.whole.state())) as ScheduleState);
    expect(second.whole(3)).toBe(0.125);
  });

  test('pure schedules stay plain functions', () => {
    for (const pure of [
      join([0.1, schedules.inverseSqrt({ lr: 1 })], [3]),
      warmup(0.1, { warmupSteps: 2 }),
      product([0.1, schedules.inverseSqrt({ lr: 1 })]),
    ]) {
      expect(isStatefulSchedule(pure)).toBe(false);
      expect(Object.keys(pure)).toEqual([]);
    }
    expect(isStatefulSchedule(0.1)).toBe(false);
    const whole = reduceOnPlateau({ lr: 1 });
    for (const missing of ['kind', 'state', 'loadState']) {
      expect(isStatefulSchedule(Object.assign(() => 1, whole, { [missing]: undefined }))).toBe(false);
    }
    expect(isStatefulSchedule(Object.assign(() => 1, whole))).toBe(true);
  });

  test('a state that fits one part and not the other changes neither', () => {
    const parts = [reduceOnPlateau({ lr: 1 }), reduceOnPlateau({ lr: 2 })];
    const whole = join(parts, [5]) as StatefulSchedule;
    const { kind, lr, ...rest } = parts[0]!.state();
    const broken = {
      kind: 'join',
      schedules: [
        { kind, lr: 7, ...rest },
        { kind, ...rest },
      ],
    } as ScheduleState;
    expect(lr).toBe(1);
    expect(catchError(() => whole.loadState(broken)).message).toContain('lr of the state is undefined');
    expect([whole(0), whole(5)]).toEqual([1, 2]);
    const tooMany = [1, 2, 3].map(() => parts[0]!.state());
    for (const schedulesOf of [undefined, [], [rest], tooMany]) {
      const thrown = catchError(() => whole.loadState({ kind: 'join', schedules: schedulesOf } as never));
      expect(thrown.code).toBe('invalid-state-dict');
      expect(thrown.message).toContain('2 schedule(s)');
    }
    expect(catchError(() => whole.loadState({ kind: 'warmup' })).message).toContain('"warmup"');
  });
});

function catchError(act: () => unknown): OptimizerError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(OptimizerError);
    return error as OptimizerError;
  }
  throw new Error('nothing was thrown');
}
