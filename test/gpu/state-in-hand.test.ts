/** State that is written, reset and copied between steps, in calls that nobody awaits, against an edited reference. */
import { describe, expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  ReferenceOptimizer,
  type Rule,
  type StateDict,
  adagrad,
  adam,
  novograd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { gpuTest } from '../support/device.js';
import { editTwin } from '../support/edited-twin.js';
import { errorOf } from '../support/error-of.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const LENGTHS: Readonly<Record<string, number>> = { a: 5, e: 5, b: 130, c: 5, d: 130 };
const NAMES = Object.keys(LENGTHS);

/** A run of two groups, and its model; a number for `initialAccumulator` begins the state at something but 0. */
async function makeRuns(
  device: GPUDevice,
  track: Track,
  random: Random,
  rule: Rule,
  settings: OptimizerSettings,
) {
  const values = NAMES.map((name) => ({
    name,
    weights: random.weights(LENGTHS[name]!),
    gradients: random.gradients(LENGTHS[name]!),
  }));
  const params = values.map(({ name, weights, gradients }) =>
    makeParameter(device, track, name, weights, gradients),
  );
  const groupsOf = <T>(all: readonly T[]) => [
    { params: all.slice(0, 3) },
    { params: all.slice(3), lr: 0.003 },
  ];
  const optimizer = track(await Optimizer.create(device, { rule, groups: groupsOf(params), ...settings }));
  const twin = new ReferenceOptimizer({
    rule,
    groups: groupsOf(values.map(({ name, weights }) => ({ name, data: weights.slice() }))),
    ...settings,
    precision: 'f32',
  });
  const gradients = values.map((each) => each.gradients);
  const upload = (k: number, next: Float32Array<ArrayBuffer>) => {
    gradients[k] = next;
    device.queue.writeBuffer(params[k]!.grad, 0, next);
  };
  return { optimizer, twin, gradients, upload };
}

/** The dicts agree, and so do the weights; on other adapters counts alone are held to be the same. */
async function expectAlike(device: GPUDevice, optimizer: Optimizer, twin: ReferenceOptimizer): Promise<void> {
  const [dict, want] = [await optimizer.stateDict(), twin.stateDict() as StateDict];
  if (!isSwiftShader(device)) {
    expect(dict.groups).toEqual(want.groups);
    return;
  }
  const { state, ...rest } = dict;
  const { state: wantedState, ...wantedRest } = want;
  expect(rest).toEqual(wantedRest);
  for (const name of NAMES) {
    for (const [slot, values] of Object.entries(wantedState[name]!)) {
      expect(bitDifference(state[name]![slot]!, values), `${slot} of ${name}`).toBeUndefined();
    }
    const weights = Float32Array.from(twin.readParam(name));
    expect(bitDifference(await optimizer.readParam(name), weights), name).toBeUndefined();
  }
}

const EMA = { ema: { decay: 0.9 } };
const CASES: Readonly<Record<string, { rule: Rule; settings: OptimizerSettings }>> = {
  'steps that the host counts': { rule: adam({ amsgrad: true }), settings: EMA },
  'steps that the GPU counts': { rule: adam(), settings: { ...EMA, skipNonFinite: true } },
  'state that does not begin at 0': { rule: adagrad({ initialAccumulator: 0.5 }), settings: {} },
  'state of whole tensors': { rule: novograd(), settings: { skipNonFinite: true } },
};

for (const [title, { rule, settings }] of Object.entries(CASES)) {
  gpuTest(`calls drawn at random, awaited by nobody: ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const { optimizer, twin, gradients, upload } = await makeRuns(device, track, random, rule, settings);
    const { slots } = layoutOf(twin.groups[0]!.rule);
    let asked = 0;
    const draws: readonly (() => void)[] = [
      () => {
        const skip = NAMES.filter(() => random.uniform() < 0.2);
        optimizer.step({ skip });
        twin.step(gradients, { skip });
        asked++;
      },
      () => {
        const k = random.integer(NAMES.length);
        const next = random.gradients(LENGTHS[NAMES[k]!]!);
        if (settings.skipNonFinite && random.uniform() < 0.3) next[0] = NaN;
        upload(k, next);
      },
      () => {
        const [name, { name: slot, perTensor }] = [random.pick(NAMES), random.pick(slots)];
        const values = random.weights(perTensor ? 1 : LENGTHS[name]!).map(Math.abs);
        optimizer.writeState(name, slot, random.uniform() < 0.5 ? values : [...values]);
        editTwin(twin, ({ state }) => (state[name]![slot] = values));
      },
      () => {
        const name = random.pick(NAMES);
        // As many as were applied, or more than were asked for: in between the GPU alone knows which is more.
        const isBeyond = random.uniform() < 0.2;
        const count = isBeyond ? asked + 1 + random.integer(5) : random.integer(twin.stats().step + 1);
        asked = Math.max(asked, count);
        optimizer.writeState(name, 'step', [count]);
        editTwin(twin, ({ counts }) => counts.set(name, count));
      },
      () => {
        const names = NAMES.filter(() => random.uniform() < 0.6);
        const wanted = [...slots.map(({ name }) => name), 'step'].filter(() => random.uniform() < 0.6);
        const isWhole = random.uniform() < 0.3;
        optimizer.resetState(isWhole ? { names } : { names, slots: wanted });
        editTwin(twin, ({ state, counts, weights }) => {
          const isCounted = isWhole || wanted.includes('step');
          for (const name of names) {
            if (isCounted) counts.set(name, 0);
            for (const { name: slot, initial } of slots) {
              if (!isWhole && !wanted.includes(slot)) continue;
              if (slot === 'ema' && !isCounted) state[name]![slot] = weights(name);
              else state[name]![slot]!.fill(initial);
            }
          }
        });
      },
      () => {
        const [from, to] = random.pick([
          ['a', 'c'],
          ['c', 'a'],
          ['a', 'e'],
          ['b', 'd'],
          ['d', 'b'],
        ] as const);
        optimizer.copyState(from, to);
        editTwin(twin, ({ state, counts }) => {
          state[to] = state[from]!;
          counts.set(to, counts.get(from)!);
        });
      },
    ];
    for (let call = 0; call < 60; call++) random.pick([draws[0]!, ...draws])();
    await expectAlike(device, optimizer, twin);
    optimizer.resetState();
    const stats = await optimizer.stats();
    expect(stats.step).toBe(twin.stats().step);
    expect(await optimizer.readState('a', 'step')).toEqual(Float32Array.of(0));
  });
}

gpuTest(
  'state of one group is copied within its buffer, and the count with it',
  async ({ device, track }) => {
    const lengths = [3, 301, 301, 3];
    const random = new Random(inject('seed'));
    const params = lengths.map((length, k) =>
      makeParameter(device, track, `w${k}`, random.weights(length), random.gradients(length)),
    );
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params }));
    optimizer.step({ skip: ['w2'] });
    optimizer.step();
    const live = track(watchBuffers(device));
    const before = optimizer.readState('w1', 'exp_avg');
    optimizer.copyState('w1', 'w2');
    optimizer.step({ skip: ['w1'] });
    const made = live.count;
    expect(await optimizer.readState('w2', 'step')).toEqual(Float32Array.of(3));
    expect(await optimizer.readState('w1', 'step')).toEqual(Float32Array.of(2));
    optimizer.copyState('w1', 'w2');
    expect(await optimizer.readState('w2', 'exp_avg')).toEqual(await before);
    // One row less, and one buffer in between that is gone again.
    expect(live.count, live.labels.join()).toBeLessThanOrEqual(made);
  },
);

gpuTest('averages of rows begin from the weights of these', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowCount, rowLength] = [40, 3];
  const dense = (name: string, rows: number) => ({
    ...makeParameter(device, track, name, random.weights(3 * rows), random.weights(3 * rows)),
    rowLength,
  });
  const groups = [{ params: [dense('w', rowCount)] }, { params: [dense('v', 5)] }];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), groups, ema: { decay: 0.5 } }));
  optimizer.step();
  optimizer.step();
  const before = optimizer.readEma('w');
  const live = track(watchBuffers(device));
  optimizer.resetState({ names: ['w', 'v'], rows: [3, 1, 4] });
  expect(live.labels).toEqual([]);
  const [average, weights, moment] = [
    await optimizer.readEma('w'),
    await optimizer.readParam('w'),
    await optimizer.readState('w', 'exp_avg'),
  ];
  const isReset = (i: number) => [1, 3, 4].includes(Math.floor(i / rowLength));
  const want = (await before).map((value, i) => (isReset(i) ? weights[i]! : value));
  expect(bitDifference(average, want)).toBeUndefined();
  expect(average).not.toEqual(await before);
  moment.forEach((value, i) => expect(value === 0, `element ${i}`).toBe(isReset(i)));
});

gpuTest(
  'averages of rows that lie apart begin from the weights, not from what lies between',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const structs = random.weights(3 * 5);
    const data = { buffer: makeBuffer(device, track, structs), byteStride: 20, offset: 4 };
    const params = [{ name: 'w', data, grad: makeBuffer(device, track, new Float32Array(6)), rowLength: 2 }];
    const settings = { ema: { decay: 0.5 }, kernel: { workgroupSize: 32 } };
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params, ...settings }));
    optimizer.resetState({ slots: ['ema'], rows: [0, 2] });
    const rows = [0, 1, 2].map((row) => [...structs.subarray(5 * row + 1, 5 * row + 3)]);
    expect([...(await optimizer.readState('w', 'ema'))]).toEqual([...rows[0]!, 0, 0, ...rows[2]!]);
    optimizer.resetState({ slots: ['ema'] });
    expect([...(await optimizer.readState('w', 'ema'))]).toEqual(rows.flat());
  },
);

gpuTest('rows of a table are reset, and no others', async ({ device, track }) => {
  const [rowCount, rowLength] = [9, 3];
  const optimizer = track(
    await Optimizer.create(device, {
      rule: adagrad({ initialAccumulator: 0.25 }),
      params: [
        {
          name: 'table',
          data: makeBuffer(device, track, new Float32Array(rowCount * rowLength)),
          rowLength,
          grad: {
            indices: makeWords(device, track, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
            values: makeBuffer(device, track, new Float32Array(rowCount * rowLength).fill(1)),
          },
        },
        makeParameter(device, track, 'dense', [1], [1]),
      ],
    }),
  );
  optimizer.step();
  optimizer.resetState({ names: ['table'], rows: Uint32Array.of(8, 2, 3, 2) });
  const sums = await optimizer.readState('table', 'sum');
  const isReset = (i: number) => [2, 3, 8].includes(Math.floor(i / rowLength));
  expect([...sums]).toEqual(Array.from(sums, (_, i) => (isReset(i) ? 0.25 : 1.25)));
  expect(await optimizer.readState('table', 'step')).toEqual(Float32Array.of(1));
  for (const [options, code, hint] of [
    [{ rows: [0] }, 'invalid-parameter', '"dense" has no rowLength'],
    [{ names: ['table'], rows: [9] }, 'invalid-parameter', 'no row 9'],
    [{ names: ['table'], rows: [0.5] }, 'invalid-config', '0.5'],
    [{ names: ['table'], rows: 3 }, 'invalid-config', 'rows is 3'],
    [{ names: ['table'], rows: [0], slots: ['step'] }, 'invalid-config', '"step" is one number'],
  ] as const) {
    const error = await errorOf(() => optimizer.resetState(options as never));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(hint)]);
  }
  expect(await optimizer.readState('table', 'sum')).toEqual(sums);
});

gpuTest('a count beyond the optimizer’s own takes that and schedules along', async ({ device, track }) => {
  for (const settings of [{}, { skipNonFinite: true }]) {
    const rule = adam({ lr: (step) => 1 / (1 + step) });
    const params = [makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1])];
    const optimizer = track(await Optimizer.create(device, { rule, params, ...settings }));
    optimizer.step();
    optimizer.writeState('w', 'step', [0]);
    expect(optimizer.lr).toBe(1 / 2);
    expect((await optimizer.stats()).step).toBe(1);
    optimizer.writeState('w', 'step', [3]);
    expect(optimizer.lr).toBe(1 / 4);
    expect(await optimizer.stats()).toMatchObject({ step: 3, lr: 1 });
    optimizer.step();
    expect((await optimizer.stateDict()).step).toBe(4);
    expect(optimizer.lr).toBe(1 / 5);
  }
});

describe('what is refused changes nothing', () => {
  gpuTest('names, slots, numbers, and the wrong moment', async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const { optimizer } = await makeRuns(device, track, random, adam(), EMA);
    optimizer.step();
    const dict = await optimizer.stateDict();
    const any = optimizer as unknown as Record<string, (...args: unknown[]) => void>;
    const BAD: readonly (readonly [string, readonly unknown[], string, string])[] = [
      ['writeState', ['z', 'exp_avg', [1]], 'invalid-parameter', 'there is no parameter "z"'],
      ['writeState', ['a', 'momentum', [1]], 'invalid-parameter', 'there is no state "momentum"'],
      ['writeState', ['a', 'exp_avg', [1, 2]], 'invalid-parameter', 'has 2 values; give 5 numbers'],
      ['writeState', ['a', 'exp_avg', 1], 'invalid-parameter', 'is 1; give 5 numbers'],
      ['writeState', ['a', 'exp_avg', [1, 2, 3, 4, '5']], 'invalid-parameter', 'give 5 numbers'],
      ['writeState', ['a', 'exp_avg', [1, 2, 1e39, 4, 5]], 'invalid-parameter', 'value 2 is 1e+39'],
      ['writeState', ['a', 'step', [NaN]], 'invalid-parameter', 'step of parameter "a" is [NaN]'],
      ['writeState', ['a', 'step', [0.5]], 'invalid-parameter', '[0.5]'],
      ['writeState', ['a', 'step', [-1]], 'invalid-parameter', '[-1]'],
      ['writeState', ['a', 'step', [2 ** 32 - 1]], 'invalid-parameter', '[4294967295]'],
      ['writeState', ['a', 'step', 5], 'invalid-parameter', 'step of parameter "a" is 5'],
      ['resetState', [['a']], 'invalid-config', 'the options are ["a"]'],
      ['resetState', [{ name: ['a'] }], 'invalid-config', 'unknown option "name"'],
      ['resetState', [{ names: 'a' }], 'invalid-config', 'names is "a"'],
      ['resetState', [{ names: ['a', 'z'] }], 'invalid-parameter', 'there is no parameter "z"'],
      ['resetState', [{ slots: ['exp_avg', 'z'] }], 'invalid-parameter', 'there is no state "z"'],
      ['resetState', [{ slots: 'exp_avg' }], 'invalid-config', 'slots is "exp_avg"'],
      ['copyState', ['a', 'b'], 'invalid-parameter', 'have 5 and 130 elements'],
      ['copyState', ['a', 'a'], 'invalid-parameter', 'are one'],
      ['copyState', ['a', 'z'], 'invalid-parameter', 'there is no parameter "z"'],
    ];
    for (const [call, args, code, hint] of BAD) {
      const error = await errorOf(() => any[call]!(...args));
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(hint)]);
    }
    expect(await optimizer.stateDict()).toEqual(dict);
    const GOOD: readonly (readonly [string, readonly unknown[]])[] = [
      ['writeState', ['a', 'exp_avg', [1, 2, 3, 4, 5]]],
      ['writeState', ['a', 'step', [1]]],
      ['resetState', []],
      ['copyState', ['a', 'c']],
    ];
    optimizer.eval();
    for (const [call, args] of GOOD) {
      expect((await errorOf(() => any[call]!(...args))).code, call).toBe('invalid-config');
    }
    optimizer.train();
    expect(await optimizer.stateDict()).toEqual(dict);
    optimizer.destroy();
    for (const [call, args] of GOOD) {
      expect((await errorOf(() => any[call]!(...args))).code, call).toBe('destroyed');
    }
  });

  gpuTest('slots that only the other group has', async ({ device, track }) => {
    const group = (name: string, options: object) => ({
      params: [makeParameter(device, track, name, [1, 2], [1, 1])],
      ...options,
    });
    const optimizer = track(
      await Optimizer.create(device, {
        rule: adam(),
        groups: [group('a', {}), group('b', { amsgrad: true })],
      }),
    );
    optimizer.step();
    expect((await errorOf(() => optimizer.copyState('a', 'b'))).message).toContain('max_exp_avg_sq');
    optimizer.resetState({ slots: ['max_exp_avg_sq'] });
    expect(await optimizer.readState('b', 'max_exp_avg_sq')).toEqual(new Float32Array(2));
    expect((await optimizer.readState('a', 'exp_avg_sq'))[0]).toBeGreaterThan(0);
  });
});

gpuTest(
  'NaN and infinities are taken as they are, and what is written is copied',
  async ({ device, track }) => {
    const optimizer = track(
      await Optimizer.create(device, {
        rule: adam(),
        params: [makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1])],
      }),
    );
    const values = Float32Array.of(NaN, -Infinity, 2 ** -149);
    optimizer.writeState('w', 'exp_avg', values);
    values.fill(7);
    const [nan, infinite, subnormal] = await optimizer.readState('w', 'exp_avg');
    expect([nan, infinite, subnormal]).toEqual([NaN, -Infinity, 2 ** -149]);
  },
);
