import { describe, expect, inject, test } from 'vitest';
import {
  OptimizerError,
  type ReferenceConfig,
  ReferenceOptimizer,
  type ReferenceStateDict,
  adam,
  novograd,
  schedules,
  sgd,
} from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { Random } from '../../proof/random.js';

const LENGTHS = [3, 5, 2];
const NAMES = ['a', 'b', 'c'];

function makeRun(config: Omit<ReferenceConfig, 'params' | 'groups'>, weights: readonly ArrayLike<number>[]) {
  const param = (k: number) => ({ name: NAMES[k]!, data: Float64Array.from(weights[k]!) });
  const groups = [{ params: [param(0), param(1)] }, { params: [param(2)], lr: 0.03 }];
  return new ReferenceOptimizer({ ...config, groups });
}

const weightsOf = (optimizer: ReferenceOptimizer) => NAMES.map((name) => optimizer.readParam(name));

/** A dict of the form that JSON keeps, with the arrays it cannot keep put back. */
function throughJson(dict: ReferenceStateDict): ReferenceStateDict {
  return { ...(JSON.parse(JSON.stringify(dict)) as ReferenceStateDict), state: dict.state };
}

describe.each(['f64', 'f32'] as const)('a run in %s that is saved', (precision) => {
  test.for(ruleFactories)('goes on elsewhere, bit for bit: %s', ([, factory]) => {
    const random = new Random(inject('seed'));
    const config = {
      rule: factory({ lr: 0.1 }),
      precision,
      ema: { decay: 0.9 },
      lookahead: { every: 3, alpha: 0.5 },
      lossScale: { growthInterval: 2 },
    };
    const optimizer = makeRun(
      config,
      LENGTHS.map((length) => random.weights(length)),
    );
    const steps = Array.from({ length: 10 }, (_, step) => ({
      gradients: LENGTHS.map((length) =>
        step % 4 === 2 ? new Float32Array(length).fill(NaN) : random.gradients(length),
      ),
      skip: NAMES.filter(() => random.uniform() < 0.3),
    }));
    const make = ({ gradients, skip }: (typeof steps)[number], run: ReferenceOptimizer) =>
      run.step(gradients, { skip });
    for (const step of steps.slice(0, 5)) make(step, optimizer);
    const dict = throughJson(optimizer.stateDict());
    const resumed = makeRun(config, weightsOf(optimizer));
    for (const step of [steps[3]!, steps[6]!]) make(step, resumed);
    resumed.loadStateDict(dict);
    const other = makeRun(config, weightsOf(optimizer));
    other.loadStateDict(dict);
    for (const step of steps.slice(5)) {
      make(step, optimizer);
      make(step, other);
    }
    expect(weightsOf(other)).toEqual(weightsOf(optimizer));
    expect(other.stateDict()).toEqual(optimizer.stateDict());
    expect(other.stats()).toEqual(optimizer.stats());
    // What was loaded is not shared.
    expect(resumed.stateDict()).toEqual(dict);
  });
});

describe('a state dict', () => {
  const run = (config: Partial<ReferenceConfig> = {}) =>
    makeRun(
      { rule: adam({ lr: 0.1 }), ...config },
      LENGTHS.map((length) => new Float64Array(length)),
    );
  const gradients = LENGTHS.map((length) => new Float64Array(length).fill(1));

  test('has the form of the engine’s', () => {
    const optimizer = run({ precision: 'f32' });
    optimizer.step(gradients);
    const { rule, step, groups, state, ...rest } = optimizer.stateDict();
    expect([rule, step, rest]).toEqual(['adam', 1, {}]);
    expect(groups[0]).toEqual({ params: ['a', 'b'], ...adam({ lr: 0.1 }).options });
    expect(groups[1]).toMatchObject({ params: ['c'], lr: 0.03 });
    expect(Object.keys(state)).toEqual(NAMES);
    expect(state['a']!['exp_avg']).toEqual(new Float32Array(3).fill(Math.fround(0.1)));
  });

  test('tells where counts differ: within a group by each, else by when the group joined', () => {
    const optimizer = run();
    optimizer.step(gradients, { skip: ['c'] });
    optimizer.step(gradients, { skip: ['b', 'c'] });
    optimizer.step(gradients);
    const { groups } = optimizer.stateDict();
    expect(groups[0]).toMatchObject({ steps: [3, 2] });
    expect(groups[0]).not.toHaveProperty('joinedAt');
    expect(groups[1]).toMatchObject({ joinedAt: 2 });
    expect(groups[1]).not.toHaveProperty('steps');
  });

  test('of a run that skipped goes on at its applied steps where nothing is skipped', () => {
    const skipping = run({ skipNonFinite: true });
    const bad = gradients.map((values) => values.map(() => NaN));
    for (const values of [bad, gradients, bad, gradients, bad]) skipping.step(values);
    const asked: number[] = [];
    const lr = (step: number) => (asked.push(step), 0.1);
    const plain = run({ rule: adam({ lr }) });
    plain.loadStateDict(skipping.stateDict());
    expect(plain.readState('a', 'step')).toEqual(Float64Array.of(2));
    asked.length = 0;
    plain.step(gradients);
    expect(plain.readState('a', 'step')).toEqual(Float64Array.of(3));
    // A schedule follows the steps asked for.
    expect(asked).toEqual([5]);
  });

  test('shares no array with the run', () => {
    const optimizer = run();
    const dict = optimizer.stateDict();
    dict.state['a']!['exp_avg']!.fill(9);
    (dict.groups[0]!['betas'] as number[])[0] = 0.5;
    expect(optimizer.readState('a', 'exp_avg')).toEqual(new Float64Array(3));
    expect(optimizer.groups[0]!.options['betas']).toEqual([0.9, 0.999]);
    const given = optimizer.stateDict();
    optimizer.loadStateDict(given);
    given.state['a']!['exp_avg']!.fill(9);
    expect(optimizer.readState('a', 'exp_avg')).toEqual(new Float64Array(3));
  });

  test('keeps the state of schedules, all of them or none', () => {
    const plateau = () => schedules.reduceOnPlateau({ lr: 0.1, factor: 0.5, patience: 1 });
    const withLrs = (lrs: ReturnType<typeof plateau>[]) =>
      new ReferenceOptimizer({
        rule: sgd(),
        groups: lrs.map((lr, k) => ({ params: [{ name: NAMES[k]!, data: new Float64Array(1) }], lr })),
      });
    const saved = [plateau(), plateau()];
    for (const lr of saved) for (let k = 0; k < 9; k++) lr.report(1);
    const dict = withLrs(saved).stateDict();
    expect(dict.groups[0]!.lr).toBeLessThan(0.1);
    const fresh = [plateau(), plateau()];
    const target = withLrs(fresh);
    const before = fresh.map((lr) => lr.state());
    const broken = {
      ...dict,
      groups: [dict.groups[0]!, { ...dict.groups[1]!, schedule: { kind: 'other' } }],
    };
    expect(() => target.loadStateDict(broken)).toThrow('"other"');
    expect(fresh.map((lr) => lr.state())).toEqual(before);
    target.loadStateDict(dict);
    expect(target.groups.map(({ lr }) => lr)).toEqual(dict.groups.map(({ lr }) => lr));
  });

  const good = () => {
    const optimizer = run({ skipNonFinite: true });
    optimizer.step(gradients, { skip: ['b'] });
    return optimizer.stateDict();
  };
  const { state: state0, groups: groups0, control: control0 } = good();
  const group = (changes: object) => ({ groups: [{ ...groups0[0]!, ...changes }, groups0[1]!] });
  const control = (changes: object) => ({ control: { ...control0!, ...changes } });
  const slots = (changes: object) => ({ state: { ...state0, a: { ...state0['a'], ...changes } } });

  test.for<[string, unknown]>([
    ['the state dict is null', null],
    ['the state dict is [1]', [1]],
    ['lacks "rule"', { rule: undefined, step: 1 }],
    ['of rule "sgd"', { rule: 'sgd' }],
    ['has "extra"', { extra: 1 }],
    ['step is -1', { step: -1 }],
    ['step is 4294967296; give an integer from 0 to 4294967295', { step: 2 ** 32 }],
    ['step is 1.5', { step: 1.5 }],
    ['lacks "groups"', { groups: undefined }],
    ['groups has 1 entries, but this optimizer has 2 groups', { groups: [groups0[0]] }],
    ['groups[0] is null', { groups: [null, groups0[1]] }],
    ['params are ["b", "a"]', group({ params: ['b', 'a'] })],
    ['params are undefined', group({ params: undefined })],
    ['joinedAt is 2; give an integer from 0 to 1', group({ joinedAt: 2, steps: undefined })],
    ['steps[1] is 2; give an integer from 0 to 1', group({ steps: [1, 2] })],
    ['steps[0] is undefined', group({ steps: Array(2) })],
    ['steps is [1]; give the steps applied to each of its 2 parameters', group({ steps: [1] })],
    ['both joinedAt and steps', group({ joinedAt: 0 })],
    ['lr is -1', group({ lr: -1 })],
    ['amsgrad is true in the dict and false here', group({ amsgrad: true })],
    ['unknown option "momentum"', group({ momentum: 0.9 })],
    ['state is null', { state: null }],
    ['lacks "c"', { state: { a: state0['a'], b: state0['b'] } }],
    ['has "d"', { state: { ...state0, d: {} } }],
    ['state of parameter "a" is 1', { state: { ...state0, a: 1 } }],
    ['lacks "exp_avg_sq"', { state: { ...state0, a: { exp_avg: state0['a']!['exp_avg'] } } }],
    ['exp_avg is [0, 0, 0]', slots({ exp_avg: [0, 0, 0] })],
    ['exp_avg has 2 elements but this optimizer keeps 3', slots({ exp_avg: new Float32Array(2) })],
    ['control is 1', { control: 1 }],
    ['control.lossScale is Infinity', control({ lossScale: Infinity })],
    ['control.lossScale is 1e+300', control({ lossScale: 1e300 })],
    ['control.lossScale is 1e-50', control({ lossScale: 1e-50 })],
    ['control.lossScale is "1"', control({ lossScale: '1' })],
    ['control.skipped is -1', control({ skipped: -1 })],
    ['control has "more"', control({ more: 1 })],
  ])('that does not fit is refused, and nothing changes: %s', ([message, changes]) => {
    const optimizer = run({ skipNonFinite: true });
    optimizer.step(gradients);
    const before = optimizer.stateDict();
    const broken = (
      Array.isArray(changes) || changes === null ? changes : { ...good(), ...changes }
    ) as never;
    for (const key of Object.keys(broken ?? {}))
      if (broken[key] === undefined && key === 'rule') delete broken[key];
    expect(() => optimizer.loadStateDict(broken)).toThrow(message);
    expect(() => optimizer.loadStateDict(broken)).toThrow(OptimizerError);
    expect(optimizer.stateDict()).toEqual(before);
    optimizer.loadStateDict(good());
  });

  test('keeps a number per tensor where a rule has one', () => {
    const optimizer = run({ rule: novograd() });
    optimizer.step(gradients);
    const dict = optimizer.stateDict();
    expect(dict.state['b']!['exp_avg_sq']!.length).toBe(1);
    const other = run({ rule: novograd() });
    other.loadStateDict(dict);
    expect(other.readState('b', 'exp_avg_sq')).toEqual(optimizer.readState('b', 'exp_avg_sq'));
  });
});
