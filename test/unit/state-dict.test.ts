/** State dicts: what is saved, and that all of one is looked at before anything changes. */
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { ParameterGroup } from '../../src/engine/parameter-group.js';
import { checkLoadOptions, checkStateDict as check } from '../../src/engine/saved/check-state-dict.js';
import { asFloats } from '../../src/engine/saved/check-values.js';
import type { StateDictTarget } from '../../src/engine/saved/checked-state.js';
import type { CheckedGroup } from '../../src/engine/saved/checked-state.js';
import { restoreSchedules } from '../../src/engine/saved/restore-schedules.js';
import { describeCounts, describeGroup } from '../../src/engine/saved/state-dict.js';
import { resolveAverages } from '../../src/averages/registry.js';
import { adam } from '../../src/rules/adam.js';
import { novograd } from '../../src/rules/novograd.js';
import { type Rule, withSettings } from '../../src/rules/rule.js';
import { schedules } from '../../src/schedules.js';
import { errorOf } from '../support/error-of.js';

const checkStateDict = (dict: unknown, target: StateDictTarget, isStrict = true) =>
  check(dict, target, isStrict, asFloats);

const HOST = { currentStep: () => 3, check: () => undefined };
const groupOf = (rule: Rule, ...params: string[]) => new ParameterGroup(rule, params, HOST);
const target = {
  ruleName: 'adam',
  groups: [groupOf(adam({ lr: 0.1 }), 'a', 'b'), groupOf(adam({ lr: 0.2, betas: [0.5, 0.75] }), 'c')],
  sizeOf: (name: string) => ({ elementCount: name === 'b' ? 3 : 2 }),
};

/** A dict that fits, with changes. */
function dictOf(changes: object = {}): Record<string, unknown> {
  const slots = (count: number) => ({
    exp_avg: Float32Array.from({ length: count }, (_, k) => k + 0.5),
    exp_avg_sq: new Float32Array(count),
  });
  return {
    rule: 'adam',
    step: 5,
    groups: target.groups.map(describeGroup),
    state: { a: slots(2), b: slots(3), c: slots(2) },
    ...changes,
  };
}

const withGroup = (changes: object) =>
  dictOf({ groups: [describeGroup(target.groups[0]!), { ...describeGroup(target.groups[1]!), ...changes }] });
const withFirst = (changes: object) =>
  dictOf({ groups: [{ ...describeGroup(target.groups[0]!), ...changes }, describeGroup(target.groups[1]!)] });
const withControl = (changes: object) =>
  dictOf({ control: { skipped: 1, consecutiveSkips: 1, growthTracker: 0, lossScale: 8, ...changes } });
const withSlot = (values: unknown) => {
  const { state } = dictOf() as { state: Record<string, object> };
  return dictOf({ state: { ...state, b: { ...state['b'], exp_avg: values } } });
};

describe('what is saved', () => {
  test('shares nothing with the group', () => {
    const described = describeGroup(target.groups[1]!);
    expect(described).toMatchObject({ params: ['c'], lr: 0.2, betas: [0.5, 0.75] });
    expect(described['betas']).not.toBe(target.groups[1]!.options['betas']);
    expect(described.params).not.toBe(target.groups[1]!.params);
    expect(Object.isFrozen(target.groups[1]!.params)).toBe(true);
    const scheduled = groupOf(adam({ lr: (step) => step / 10 }), 'w');
    expect(describeGroup(scheduled)['lr']).toBeCloseTo(0.3);
    const lr = schedules.reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    expect(describeGroup(groupOf(adam({ lr }), 'w')).schedule).toEqual(lr.state());
  });

  test('counts: one number where one tells all, a list where they differ', () => {
    expect(describeCounts(5, [5, 5])).toEqual({});
    expect(describeCounts(5, [3, 3])).toEqual({ joinedAt: 2 });
    expect(describeCounts(5, [5, 3])).toEqual({ steps: [5, 3] });
    expect(describeCounts(5, [3, 5])).toEqual({ steps: [3, 5] });
    for (const counts of [[5], [3], [0]]) {
      const checked = checkStateDict(withGroup(describeCounts(5, counts)), target);
      expect(checked.groups[1]!.counts).toEqual(counts);
    }
  });
});

describe('what is taken', () => {
  test('all of it, typed', () => {
    const dict = withControl({ skipped: 4 });
    const { groups } = dict as { groups: object[] };
    groups[0] = { ...groups[0], steps: [5, 2], lr: 0.25 };
    const checked = checkStateDict(dict, target);
    expect(checked).toMatchObject({ step: 5, scheduleStep: 9, control: { skipped: 4, lossScale: 8 } });
    expect(checked.control).not.toBe(dict['control']);
    expect(checkStateDict(Object.create(dict) as object, target)).toEqual(checked);
    expect(checked.groups.map(({ counts }) => counts)).toEqual([[5, 2], [5]]);
    expect(checked.groups[0]!.rule.options.lr).toBe(0.25);
    expect([...checked.values.keys()]).toEqual(['a', 'b', 'c']);
    expect([...checked.values.get('b')!.get('exp_avg')!]).toEqual([0.5, 1.5, 2.5]);
    expect(checkStateDict(dictOf(), target)).toMatchObject({ scheduleStep: 5, control: undefined });
  });

  test('a live schedule stays', () => {
    const lr = (step: number) => step + 1;
    const live = { ...target, groups: [target.groups[0]!, groupOf(adam({ lr }), 'c')] };
    expect(checkStateDict(withGroup({ lr: 0.5, betas: [0.5, 0.75] }), live).groups[1]!.rule.options.lr).toBe(
      lr,
    );
  });

  test.for<[string, (floats: Float32Array) => unknown]>([
    ['of another realm', (floats) => runInNewContext('Float32Array.from(values)', { values: [...floats] })],
    [
      'in shared memory',
      (floats) => {
        const shared = new Float32Array(new SharedArrayBuffer(4 * floats.length));
        shared.set(floats);
        return shared;
      },
    ],
    ['as a DataView', ({ buffer }) => new DataView(buffer)],
    [
      'as bytes at an odd offset',
      ({ buffer }) => {
        const bytes = new Uint8Array(buffer.byteLength + 1);
        bytes.set(new Uint8Array(buffer), 1);
        return bytes.subarray(1);
      },
    ],
    ['as a part', (floats) => Float32Array.of(9, ...floats, 9).subarray(1, 1 + floats.length)],
  ])('values %s', ([, view]) => {
    const given = view(Float32Array.of(1, 2.5, -3));
    const values = checkStateDict(withSlot(given), target).values.get('b')!.get('exp_avg')!;
    expect([...values]).toEqual([1, 2.5, -3]);
    expect(Object.prototype.toString.call(values.buffer)).toBe('[object ArrayBuffer]');
  });

  test('one number of a slot that is per tensor', async () => {
    const group = groupOf(novograd(), 'w');
    const one = { ruleName: 'novograd', groups: [group], sizeOf: () => ({ elementCount: 7 }) };
    const state = (count: number) => ({
      w: { exp_avg: new Float32Array(7), exp_avg_sq: new Float32Array(count) },
    });
    const dict = { rule: 'novograd', step: 1, groups: [describeGroup(group)] };
    expect(
      checkStateDict({ ...dict, state: state(1) }, one)
        .values.get('w')!
        .get('exp_avg_sq')!.length,
    ).toBe(1);
    expect((await errorOf(() => checkStateDict({ ...dict, state: state(7) }, one))).message).toContain(
      'keeps 1',
    );
  });
});

const holes = [0.5, 0.75];
Reflect.deleteProperty(holes, 1);

test.for<[string, unknown]>([
  ['control.lossScale is Infinity', withControl({ lossScale: Infinity })],
  ['control.lossScale is 1e+300', withControl({ lossScale: 1e300 })],
  ['control.lossScale is 1e-50', withControl({ lossScale: 1e-50 })],
  ['control.lossScale is 0', withControl({ lossScale: 0 })],
  // Gradients are multiplied by its reciprocal.
  ['control.lossScale is 3e+38', withControl({ lossScale: 3e38 })],
  ['control.skipped is 4294967296', withControl({ skipped: 2 ** 32 })],
  ['control.growthTracker is 0.5', withControl({ growthTracker: 0.5 })],
  ['control lacks "consecutiveSkips"', withControl({ consecutiveSkips: undefined })],
  ['control is []', dictOf({ control: [] })],
  ['step is 4294967296', dictOf({ step: 2 ** 32 })],
  ['step is -1', dictOf({ step: -1 })],
  ['groups[1].joinedAt is 6; give an integer from 0 to 5', withGroup({ joinedAt: 6 })],
  ['groups[1].joinedAt is 0.5', withGroup({ joinedAt: 0.5 })],
  ['groups[1].steps[0] is 6', withGroup({ steps: [6] })],
  ['groups[1].steps[0] is undefined', withGroup({ steps: Array(1) })],
  ['groups[1].steps is [1, 1]', withGroup({ steps: [1, 1] })],
  ['both joinedAt and steps', withGroup({ steps: [1], joinedAt: 1 })],
  ['betas', withGroup({ betas: holes })],
  ['amsgrad is true in the dict and false here, which takes other kernels', withGroup({ amsgrad: true })],
  ['epsPlacement is "hat" in the dict and "outside" here', withGroup({ epsPlacement: 'hat', lr: 7 })],
  ['params are ["d"] but this optimizer has ["c"]', withGroup({ params: ['d'] })],
  ['params are [', withGroup({ params: Array(1) })],
  ['params are ["b", "a"]', withFirst({ params: ['b', 'a'] })],
  ['params are ["a", "b", "c"]', withFirst({ params: ['a', 'b', 'c'] })],
  ['groups has 1 entries, but this optimizer has 2 groups; create it with', dictOf({ groups: [1] })],
  ['groups[1] is undefined', dictOf({ groups: Object.assign(Array(2), [describeGroup(target.groups[0]!)]) })],
  ['this optimizer runs "adam"; load it', dictOf({ rule: 'sgd' })],
  ['exp_avg has 2 elements but this optimizer keeps 3', withSlot(new Float32Array(2))],
  ['exp_avg is a Int32Array', withSlot(new Int32Array(3))],
  ['exp_avg has 2 elements but this optimizer keeps 3', withSlot(new Float64Array(2))],
  ['exp_avg is a Int16Array', withSlot(new Int16Array(6))],
  ['exp_avg is [', withSlot([1, 2, 3])],
  ['the state dict lacks "state"', dictOf({ state: undefined })],
  ['unknown to this optimizer', dictOf({ states: {} })],
  ['state lacks "b", "c"', dictOf({ state: { a: (dictOf()['state'] as { a: object }).a } })],
])('a dict is refused: %s', async ([message, dict]) => {
  const error = await errorOf(() => checkStateDict(dict, target));
  expect(error.code).toBe('invalid-state-dict');
  expect(error.message).toContain(message);
});

describe('by name alone', () => {
  const load = (dict: unknown) => checkStateDict(dict, target, false);
  const slotsOf = (names: readonly string[]) => {
    const { state } = dictOf() as { state: Record<string, object> };
    return Object.fromEntries(names.map((name) => [name, state[name] ?? { exp_avg: 'anything' }]));
  };
  /** A dict of some groups, with state for all that they have. */
  const dictOfGroups = (...groups: { params: string[]; [option: string]: unknown }[]) =>
    dictOf({ groups, state: slotsOf(groups.flatMap(({ params }) => params)) });

  test('a dict that fits is taken as a strict one is', () => {
    const [loose, strict] = [load(dictOf()), checkStateDict(dictOf(), target)];
    expect(loose).toEqual(strict);
    expect(loose.names).toEqual({ loaded: ['a', 'b', 'c'], missing: [], unexpected: [] });
  });

  test('in any order and grouping, with more and less of it', () => {
    const { names, groups, values } = load(
      dictOfGroups(
        { params: ['z', 'c'], lr: 0.5, steps: [1, 2] },
        { params: ['y', 'b'], lr: 0.25, eps: 1e-3, joinedAt: 1, schedule: { kind: 'some' } },
      ),
    );
    expect(names).toEqual({ loaded: ['b', 'c'], missing: ['a'], unexpected: ['z', 'y'] });
    expect(groups.map(({ counts }) => counts)).toEqual([[undefined, 4], [2]]);
    expect(groups.map(({ rule }) => rule.options.lr)).toEqual([0.25, 0.5]);
    expect(groups[0]!.schedules).toEqual({ lr: { kind: 'some' } });
    expect([...values.keys()]).toEqual(['b', 'c']);
    expect([...values.get('b')!.get('exp_avg')!]).toEqual([0.5, 1.5, 2.5]);
  });

  test('a group whose parameters come from several keeps its options', () => {
    const { groups } = load(dictOfGroups({ params: ['a'], lr: 0.5 }, { params: ['b', 'c'], lr: 0.25 }));
    expect(groups.map(({ rule }) => rule.options.lr)).toEqual([0.1, 0.25]);
    expect(load(dictOfGroups()).groups.map(({ rule }) => rule)).toEqual(
      target.groups.map(({ rule }) => rule),
    );
  });

  test('averages come and go, the rule’s own slots do not', async () => {
    const average = resolveAverages({ ema: { decay: 0.5 } });
    const averaged = { ...target, groups: [groupOf(withSettings(adam(), { averages: average }), 'a')] };
    const dict = dictOfGroups({ params: ['a'] });
    const keys = [...checkStateDict(dict, averaged, false).values.get('a')!.keys()];
    expect(keys).toEqual(['exp_avg', 'exp_avg_sq']);
    await errorOf(() => checkStateDict(dict, averaged));
    const { a } = slotsOf(['a']);
    const rich = { ...dict, state: { a: { ...a, ema: new Float32Array(2), slow: 'ignored' } } };
    expect([...load(rich).values.get('a')!.keys()]).toEqual(keys);
    expect([...checkStateDict(rich, averaged, false).values.get('a')!.keys()]).toContain('ema');
  });

  const onlyA = (slots: object) => dictOf({ groups: [{ params: ['a'] }], state: { a: slots } });

  test.for<readonly [message: string, dict: unknown]>([
    [
      'exp_avg has 3 elements but this optimizer keeps 2',
      dictOf({ state: { ...slotsOf(['b', 'c']), a: slotsOf(['b'])['b'] } }),
    ],
    ['parameter "a" is in the dict twice', dictOfGroups({ params: ['a'] }, { params: ['b', 'a'] })],
    ['params has 3', dictOf({ groups: [{ params: [3] }], state: {} })],
    ['params are "a"', dictOf({ groups: [{ params: 'a' }], state: {} })],
    ['groups is null', dictOf({ groups: null, state: {} })],
    ['state lacks "c"', dictOf({ state: slotsOf(['a', 'b']) })],
    ['state has "d"', dictOf({ state: slotsOf(['a', 'b', 'c', 'd']) })],
    ['lacks "exp_avg_sq"', onlyA({ exp_avg: new Float32Array(2) })],
    ['has "momentum"', onlyA({ ...slotsOf(['a'])['a'], momentum: 1 })],
    ['amsgrad is true in the dict', dictOfGroups({ params: ['a'], amsgrad: true })],
    ['joinedAt is 6', dictOfGroups({ params: ['z'], joinedAt: 6 })],
    ['runs "adam"', { ...dictOfGroups({ params: ['a'] }), rule: 'adamw' }],
  ])('a dict is refused all the same: %s', async ([message, dict]) => {
    const error = await errorOf(() => load(dict));
    expect(error.code).toBe('invalid-state-dict');
    expect(error.message).toContain(message);
  });

  test('a schedule without a saved state goes on', () => {
    const lr = schedules.reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    lr.report(1);
    const before = lr.state();
    restoreSchedules([{ schedules: {} } as CheckedGroup], [groupOf(adam({ lr }), 'w')], false);
    expect(lr.state()).toEqual(before);
  });

  test('is asked for in no other way', async () => {
    const given = [undefined, {}, { strict: true }, { strict: false }];
    expect(given.map((options) => checkLoadOptions(options, 'loadStateDict()'))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    for (const [bad, hint] of [
      [false, 'the options are false'],
      [{ strict: 0 }, 'strict is 0'],
      [{ strickt: false }, 'unknown option "strickt"'],
    ] as const) {
      const error = await errorOf(() => checkLoadOptions(bad, 'loadStateDict()'));
      expect([error.code, error.message]).toEqual(['invalid-config', expect.stringContaining(hint)]);
    }
  });
});

test('state in float64, as the reference saves it, is rounded', () => {
  const given = Float64Array.of(0.1, 1, 2 ** -30);
  const values = checkStateDict(withSlot(given), target).values.get('b')!.get('exp_avg')!;
  expect(values).toEqual(Float32Array.from(given));
});

test('of options that differ, those are named that take other kernels', async () => {
  const dict = withGroup({ weightDecay: 0.1, eps: 1e-3, maximize: true });
  const { message } = await errorOf(() => checkStateDict(dict, target));
  expect(message).toContain('maximize');
  expect(message).not.toContain('eps');
  expect(message).not.toContain('weightDecay');
});

test('numbers are the dict’s, whatever kernels they take; live schedules stay', () => {
  const dict = withGroup({ weightDecay: 0.1, betas: [0.5, 0.75] });
  expect(checkStateDict(dict, target).groups[1]!.rule.options).toMatchObject({
    weightDecay: 0.1,
    betas: [0.5, 0.75],
  });
  const [decay, beta] = [() => 0.25, () => 0.125];
  const moving = adam({ weightDecay: decay, betas: [0.875, beta] });
  const live = { ...target, groups: [target.groups[0]!, groupOf(moving, ...target.groups[1]!.params)] };
  expect(checkStateDict(dict, live).groups[1]!.rule.options).toMatchObject({
    weightDecay: decay,
    betas: [0.5, beta],
  });
});

describe('schedules with state', () => {
  const plateau = () => schedules.reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
  const saved = (...states: unknown[]) =>
    states.map((lr) => ({ schedules: { lr } }) as unknown as CheckedGroup);

  test('all or none are restored', async () => {
    const lrs = [plateau(), plateau()];
    const groups = lrs.map((lr, k) => groupOf(adam({ lr }), `w${k}`));
    const source = plateau();
    for (const metric of [1, 1]) source.report(metric);
    const before = lrs.map((lr) => lr.state());
    for (const bad of [undefined, { kind: 'other' }, { ...source.state(), best: 'x' }]) {
      const error = await errorOf(() => restoreSchedules(saved(source.state(), bad), groups));
      if (bad === undefined) expect(error.message).toContain('groups[1] lacks the state of its schedule');
      expect(lrs.map((lr) => lr.state())).toEqual(before);
    }
    const undo = restoreSchedules(saved(source.state(), source.state()), groups);
    expect(lrs.map((lr) => lr(0))).toEqual([0.5, 0.5]);
    undo();
    expect(lrs.map((lr) => lr.state())).toEqual(before);
  });

  test('one of the caller’s own that gives up halfway is as it was, too', () => {
    let rate = 1;
    const own = Object.assign(() => rate, {
      kind: 'own',
      state: () => ({ kind: 'own', rate }),
      loadState: (state: { rate?: number }) => {
        rate = state.rate ?? NaN;
        if (state.rate === undefined) throw new Error('no rate');
      },
    });
    const group = groupOf(adam({ lr: own }), 'w');
    expect(() => restoreSchedules(saved({ kind: 'own' }), [group])).toThrow('no rate');
    expect(rate).toBe(1);
  });
});

test('a group’s rate is set while the optimizer may be used, and not else', async () => {
  let isOver = false;
  const group = new ParameterGroup(adam({ lr: 1 }), ['w'], {
    currentStep: () => 0,
    check: (call) => {
      if (isOver) throw new TypeError(`${call} over`);
    },
  });
  group.lr = 0.5;
  expect(group.lr).toBe(0.5);
  expect((await errorOf(() => void (group.lr = undefined as never))).message).toContain('lr is undefined');
  isOver = true;
  expect(() => (group.lr = 0.25)).toThrow('lr = over');
  expect(group.lr).toBe(0.5);
});
