/** State dicts that nobody's `stateDict` made: all of it is looked at before anything changes. */
import { describe, expect, inject } from 'vitest';
import { Optimizer, type StateDict, adam, schedules, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';

const CONFIG = { rule: adam({ lr: 0.1 }), lossScale: { init: 8 }, maxGradNorm: 100 };

/** Two groups, whose state is behind two steps, and a dict of it. */
async function makeRun(device: GPUDevice, track: Track, config: object = CONFIG) {
  const random = new Random(inject('seed'));
  const group = (name: string) => ({
    params: [makeParameter(device, track, name, random.weights(5), random.gradients(5))],
  });
  const optimizer = track(
    await Optimizer.create(device, {
      rule: adam(),
      ...config,
      groups: [group('a'), { ...group('b'), lr: 0.5, betas: [0.5, 0.75] }],
    }),
  );
  optimizer.step();
  optimizer.step();
  return { optimizer, dict: await optimizer.stateDict() };
}

/** A copy of the dict with group `g` changed. */
const withGroup = (dict: StateDict, g: number, changes: object): StateDict => ({
  ...dict,
  groups: dict.groups.map((group, k) => (k === g ? { ...group, ...changes } : group)),
});

const withControl = (dict: StateDict, changes: object) => ({
  ...dict,
  control: { ...dict.control, ...changes },
});

/** An array with a hole where the second decay rate should be. */
function holey(): number[] {
  const betas = [0.9, 0.9];
  Reflect.deleteProperty(betas, 1);
  return betas;
}

const BAD: readonly (readonly [string, string, (dict: StateDict) => unknown])[] = [
  ['an infinite loss scale', 'Infinity', (dict) => withControl(dict, { lossScale: Infinity })],
  ['a loss scale beyond float32', '1e+300', (dict) => withControl(dict, { lossScale: 1e300 })],
  ['a loss scale that is 0 in float32', '1e-50', (dict) => withControl(dict, { lossScale: 1e-50 })],
  ['a loss scale that is NaN', 'NaN', (dict) => withControl(dict, { lossScale: NaN })],
  ['a negative loss scale', '-1', (dict) => withControl(dict, { lossScale: -1 })],
  ['a loss scale in words', '"8"', (dict) => withControl(dict, { lossScale: '8' })],
  ['more skips than a u32', '4294967296', (dict) => withControl(dict, { skipped: 2 ** 32 })],
  ['half a skip', '0.5', (dict) => withControl(dict, { consecutiveSkips: 0.5 })],
  ['more growth than a u32', '4294967297', (dict) => withControl(dict, { growthTracker: 2 ** 32 + 1 })],
  ['more steps than a u32', '4294967296', (dict) => ({ ...dict, step: 2 ** 32 })],
  ['very many steps', '9007199254740992', (dict) => ({ ...dict, step: 2 ** 53 })],
  ['a step that is NaN', 'NaN', (dict) => ({ ...dict, step: NaN })],
  ['joining after the last step', '3', (dict) => withGroup(dict, 1, { joinedAt: 3 })],
  ['joining long after the last step', '4294967296', (dict) => withGroup(dict, 1, { joinedAt: 2 ** 32 })],
  ['joining before the first step', '-1', (dict) => withGroup(dict, 1, { joinedAt: -1 })],
  ['counts of too many parameters', '[1, 1]', (dict) => withGroup(dict, 1, { steps: [1, 1] })],
  ['a count beyond the steps', '3', (dict) => withGroup(dict, 1, { steps: [3] })],
  ['a count that is no count', '0.5', (dict) => withGroup(dict, 1, { steps: [0.5] })],
  ['counts that are no list', '"1"', (dict) => withGroup(dict, 1, { steps: '1' })],
  ['a hole in betas', 'betas', (dict) => withGroup(dict, 1, { betas: holey() })],
  ['betas beyond their range', '1.5', (dict) => withGroup(dict, 1, { betas: [0.5, 1.5] })],
  ['betas of three', 'betas', (dict) => withGroup(dict, 1, { betas: [0.5, 0.5, 0.5] })],
  ['an lr that float32 cannot hold', '1e+39', (dict) => withGroup(dict, 1, { lr: 1e39 })],
  ['an option of another rule', '"momentum"', (dict) => withGroup(dict, 1, { momentum: 0.9 })],
  ['no group', 'groups', (dict) => ({ ...dict, groups: [dict.groups[0], undefined] })],
  [
    'a hole in groups',
    'groups',
    (dict) => ({ ...dict, groups: Object.assign(Array(2), { 0: dict.groups[0] }) }),
  ],
  [
    'a state in words',
    'exp_avg',
    (dict) => ({ ...dict, state: { ...dict.state, b: { ...dict.state['b'], exp_avg: 'abcde' } } }),
  ],
  [
    'a state of holes',
    'exp_avg',
    (dict) => ({ ...dict, state: { ...dict.state, b: { ...dict.state['b'], exp_avg: Array(5) } } }),
  ],
  ['a symbol for a rule', 'Symbol(adam)', (dict) => ({ ...dict, rule: Symbol('adam') })],
  [
    'a name that every object has',
    '"toString"',
    (dict) => ({ ...dict, state: { ...dict.state, toString: {} } }),
  ],
];

for (const [title, hint, spoil] of BAD) {
  gpuTest(`a dict with ${title} is refused, and nothing changes`, async ({ device, track }) => {
    const [{ optimizer, dict }, twin] = [await makeRun(device, track), await makeRun(device, track)];
    // What comes before the bad part differs, too, so that a half load shows.
    const other = withGroup({ ...dict, step: dict.step + 1 }, 0, { lr: 0.25, betas: [0.25, 0.25] });
    const bad = spoil({ ...other, step: dict.step }) as StateDict;
    for (const load of [() => optimizer.loadStateDict(bad), () => optimizer.loadStateDictSync(bad)]) {
      const error = await errorOf(load);
      expect(error.code).toBe('invalid-state-dict');
      expect(error.message).toContain(hint);
    }
    expect(await optimizer.stateDict()).toEqual(dict);
    expect(optimizer.lr).toBe(0.1);
    optimizer.step();
    twin.optimizer.step();
    for (const name of ['a', 'b']) {
      const [got, want] = [await optimizer.readParam(name), await twin.optimizer.readParam(name)];
      expect(bitDifference(got, want), name).toBeUndefined();
    }
  });
}

gpuTest('a refused dict of two schedules leaves both as they were', async ({ device, track }) => {
  const make = async () => {
    const lrs = [1, 2].map((lr) => schedules.reduceOnPlateau({ lr, factor: 0.5, patience: 0 }));
    const groups = lrs.map((lr, k) => ({ params: [makeParameter(device, track, `w${k}`, [0], [1])], lr }));
    return { lrs, optimizer: track(await Optimizer.create(device, { rule: sgd(), groups })) };
  };
  const [saved, other] = [await make(), await make()];
  for (const lr of saved.lrs) for (const metric of [1, 1]) lr.report(metric);
  const dict = structuredClone(await saved.optimizer.stateDict());
  const before = await other.optimizer.stateDict();
  for (const schedule of [
    undefined,
    { kind: 'other' },
    { ...(dict.groups[1]!.schedule as object), best: 'x' },
  ]) {
    await errorOf(() => other.optimizer.loadStateDictSync(withGroup(dict, 1, { schedule })));
    expect(other.lrs.map((lr) => lr(0))).toEqual([1, 2]);
    expect(await other.optimizer.stateDict()).toEqual(before);
  }
  other.optimizer.loadStateDictSync(dict);
  expect(other.lrs.map((lr) => lr(0))).toEqual([0.5, 1]);
});

describe('what is good is taken, wherever it comes from', () => {
  gpuTest('arrays of another realm, and parts of larger ones', async ({ device, track }) => {
    const { optimizer, dict } = await makeRun(device, track);
    const frame = document.createElement('iframe');
    document.body.append(frame);
    try {
      const realm = frame.contentWindow as unknown as typeof globalThis;
      const foreign = (values: Float32Array) => realm.Float32Array.from(values);
      const part = (values: Float32Array) => {
        const larger = new Float32Array(values.length + 3);
        larger.set(values, 2);
        return larger.subarray(2, 2 + values.length);
      };
      for (const copy of [foreign, part]) {
        const state = Object.fromEntries(
          Object.entries(dict.state).map(([name, slots]) => [
            name,
            Object.fromEntries(Object.entries(slots).map(([slot, values]) => [slot, copy(values)])),
          ]),
        );
        const groups = realm.Array.from(dict.groups, (group) => ({
          ...group,
          params: realm.Array.from(group.params),
          betas: realm.Array.from(group['betas'] as number[]),
        }));
        optimizer.step();
        optimizer.loadStateDictSync({ ...dict, groups, state });
        expect(await optimizer.stateDict()).toEqual(dict);
      }
    } finally {
      frame.remove();
    }
  });

  gpuTest('a dict that went through structuredClone, at the largest count', async ({ device, track }) => {
    const { optimizer, dict } = await makeRun(device, track, { skipNonFinite: true });
    const late = { ...structuredClone(dict), step: 2 ** 32 - 2 };
    optimizer.loadStateDictSync(late);
    expect((await optimizer.stateDict()).step).toBe(2 ** 32 - 2);
    expect((await optimizer.stats()).step).toBe(2 ** 32 - 2);
  });

  gpuTest('as it was at the call', async ({ device, track }) => {
    const { optimizer, dict } = await makeRun(device, track);
    const given = structuredClone(dict);
    optimizer.step();
    const loading = optimizer.loadStateDict(given);
    given.step = 77;
    given.state['a']!['exp_avg']!.fill(9);
    given.groups[0]!['lr'] = 9;
    (given.groups[1]!['betas'] as number[])[0] = 0.125;
    (given.control as { lossScale: number }).lossScale = 2;
    await loading;
    expect(await optimizer.stateDict()).toEqual(dict);
  });
});
