/** Muon beside another rule, which steps what is no matrix: one optimizer, one step, one state dict. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  ReferenceOptimizer,
  type Rule,
  adam,
  adamw,
  lamb,
  muon,
  nadam,
  rmsprop,
  scheduleFreeSgd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeNetwork } from '../support/network.js';
import { makeBuffer } from '../support/tensors.js';

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  w1: [4, 6],
  b1: [6],
  w2: [6, 3],
  b2: [3],
  scale: [],
};

/** Parameters of these shapes; Muon's twin is compared by a tolerance on other adapters, so that gradients are of one magnitude. */
function networkOf(device: GPUDevice, track: Track) {
  const random = new Random(inject('seed'));
  return makeNetwork(device, track, random, SHAPES, (length) => random.weights(length));
}

type Settings = Omit<OptimizerConfig, 'rule' | 'params' | 'groups'>;

const CASES: readonly [title: string, others: Rule, settings: Settings][] = [
  ['AdamW, as the host counts', adamw({ lr: 0.1 }), {}],
  ['AdamW, where the GPU decides', adamw({ lr: 0.1 }), { skipNonFinite: true, ema: { decay: 0.9 } }],
  [
    'RMSprop, whose correction has the name of one of Muon',
    rmsprop({ biasCorrection: true }),
    { skipNonFinite: true },
  ],
  ['NAdam, whose momentum rises', nadam(), { skipNonFinite: true }],
  ['LAMB, which measures tensors', lamb({ lr: 0.1 }), { skipNonFinite: true }],
  ['state in 2 bytes', adam({ lr: 0.1 }), { stateDtype: 'bf16' }],
];

for (const [title, others, settings] of drawn(CASES, 2)) {
  gpuTest(`steps as in the reference: ${title}`, async ({ device, track }) => {
    const { params, twins, upload } = networkOf(device, track);
    const rule = muon({ lr: 0.1, biasCorrection: true, others });
    const optimizer = track(await Optimizer.create(device, { rule, ...settings, params }));
    const twin = new ReferenceOptimizer({ rule, ...(settings as object), precision: 'f32', params: twins });
    expect(optimizer.rule).toBe('muon');
    expect(optimizer.groups.map((group) => [group.rule.name, group.params])).toEqual([
      ['muon', ['w1', 'w2']],
      [others.name, ['b1', 'b2', 'scale']],
    ]);
    for (let step = 0; step < 6; step++) {
      const skip = step === 2 ? ['w1', 'b2'] : [];
      const gradients = upload((values) => {
        if (step === 3 && settings.skipNonFinite) values[0] = NaN;
      });
      optimizer.step({ skip });
      twin.step(gradients, { skip });
    }
    for (const { name } of params) {
      const got = await optimizer.readParam(name);
      const want = Float32Array.from(twin.readParam(name));
      if (isSwiftShader(device)) expect(bitDifference(got, want), name).toBeUndefined();
      else got.forEach((value, i) => expect(Math.abs(value - want[i]!), name).toBeLessThan(1e-3));
    }
  });
}

gpuTest('one state dict, groups that say so, and groups that join', async ({ device, track }) => {
  const { params, upload } = networkOf(device, track);
  const rule = muon({ lr: 0.1, others: adamw({ lr: 0.01 }) });
  const [w1, b1, w2, b2, scale] = params;
  const groups = [
    { params: [w1!, b1!] },
    { params: [w2!, b2!], others: true as const, lr: 0.5, betas: [0.5, 0.9] as const },
  ];
  const optimizer = track(await Optimizer.create(device, { rule, groups }));
  expect(optimizer.groups.map((group) => [group.rule.name, group.params, group.lr])).toEqual([
    ['muon', ['w1'], 0.1],
    ['adamw', ['b1'], 0.01],
    ['adamw', ['w2', 'b2'], 0.5],
  ]);
  await optimizer.addGroup({ params: [scale!], others: true, lr: 0.25 });
  expect(optimizer.groups.at(-1)!.rule.name).toBe('adamw');
  upload();
  optimizer.step();
  optimizer.step();
  const dict = await optimizer.stateDict();
  expect(dict.rule).toBe('muon');
  expect(Object.keys(dict.state['w1']!)).toEqual(['momentum_buffer']);
  expect(Object.keys(dict.state['w2']!)).toEqual(['exp_avg', 'exp_avg_sq']);
  const weights = await Promise.all(params.map(({ name }) => optimizer.readParam(name)));
  const data = weights.map((values) => makeBuffer(device, track, values));
  const again = params.map((parameter, k) => ({ ...parameter, data: data[k]! }));
  const resumed = track(
    await Optimizer.create(device, {
      rule,
      groups: [
        { params: [again[0]!] },
        { params: [again[1]!], others: true },
        { params: [again[2]!, again[3]!], others: true },
        { params: [again[4]!], others: true },
      ],
    }),
  );
  await resumed.loadStateDict(dict);
  optimizer.step();
  resumed.step();
  for (const { name } of params)
    expect(
      bitDifference(await resumed.readParam(name), await optimizer.readParam(name)),
      name,
    ).toBeUndefined();
  const moved = await errorOf(() => optimizer.addGroup({ params: ['w2'] }));
  expect(moved.message).toContain('parameter "w2" is of adamw and would move to muon');
  optimizer.remove(['w1']);
  expect(optimizer.rule).toBe('muon');
  optimizer.step();
});

gpuTest('counts that are written where the GPU decides, of every tensor', async ({ device, track }) => {
  const { params, twins, upload } = networkOf(device, track);
  const rule = muon({ lr: 0.1, biasCorrection: true, others: adamw({ lr: 0.1 }) });
  const settings = { skipNonFinite: true };
  const optimizer = track(await Optimizer.create(device, { rule, ...settings, params }));
  const twin = new ReferenceOptimizer({ rule, ...settings, precision: 'f32', params: twins });
  const step = () => {
    const gradients = upload();
    optimizer.step();
    twin.step(gradients);
  };
  step();
  step();
  const dict = await optimizer.stateDict();
  step();
  await optimizer.loadStateDict(dict);
  twin.loadStateDict(dict);
  for (const { name } of params) expect([...(await optimizer.readState(name, 'step'))], name).toEqual([2]);
  step();
  step();
  for (const { name } of params) {
    const got = await optimizer.readParam(name);
    const want = Float32Array.from(twin.readParam(name));
    if (isSwiftShader(device)) expect(bitDifference(got, want), name).toBeUndefined();
    else got.forEach((value, i) => expect(Math.abs(value - want[i]!), name).toBeLessThan(1e-3));
  }
});

gpuTest(
  'a state dict is the same of optimizer and reference, whichever group is first',
  async ({ device, track }) => {
    const { params, twins } = networkOf(device, track);
    const rule = muon({ others: adamw() });
    const optimizer = track(
      await Optimizer.create(device, {
        rule,
        groups: [{ params: [params[1]!], others: true as const }, { params: [params[0]!] }],
      }),
    );
    const twin = new ReferenceOptimizer({
      rule,
      groups: [{ params: [twins[1]!], others: true as const }, { params: [twins[0]!] }],
    });
    expect(twin.stateDict().rule).toBe('muon');
    await optimizer.loadStateDict(twin.stateDict() as never);
    twin.loadStateDict(await optimizer.stateDict());
  },
);

gpuTest('what does not fit is refused', async ({ device, track }) => {
  const buffer = () => makeBuffer(device, track, new Float32Array(6));
  const vector = { name: 'b', shape: [6], data: buffer(), grad: buffer() };
  const alone = await errorOf(() => Optimizer.create(device, { rule: muon(), params: [vector] }));
  expect(alone.message).toContain('muon({ others: adamw() }) takes what is no matrix');
  // Options of one rule are none of the other.
  const rule = muon({ others: adamw() });
  const mixed = await errorOf(() =>
    Optimizer.create(device, { rule, groups: [{ params: [vector], lr: 1 }] }),
  );
  expect(mixed.message).toContain('groups with others: true');
  const odd = await errorOf(() =>
    Optimizer.create(device, { rule, groups: [{ params: [vector], others: 'yes' } as never] }),
  );
  expect(odd.message).toContain('groups[0]: others is "yes"; give true');
  const unknown = await errorOf(() =>
    Optimizer.create(device, { rule, groups: [{ params: [vector], others: true, nsSteps: 3 } as never] }),
  );
  expect(unknown.message).toContain('adamw');
  expect((await errorOf(() => muon({ others: muon() }))).message).toContain(
    'others is muon, which steps matrices, too',
  );
  expect((await errorOf(() => muon({ others: scheduleFreeSgd() }))).message).toContain(
    'others is scheduleFreeSgd',
  );
  expect((await errorOf(() => muon({ others: adamw as never }))).message).toContain('muon: others is');
  // Inherited options are options, beside others, too.
  expect(muon(Object.create({ lr: 0.5, others: adamw() }) as { lr: number }).options.lr).toBe(0.5);
});

gpuTest('what is made for a group is labelled with the rule of that group', async ({ device, track }) => {
  const { params } = networkOf(device, track);
  const live = track(watchBuffers(device));
  const rule = muon({ others: adamw() });
  const optimizer = track(await Optimizer.create(device, { rule, params: params.slice(0, -1) }));
  await optimizer.addGroup({ params: params.slice(-1), others: true });
  const ofState = live.labels.filter((label) => /(momentum_buffer|exp_avg)\[/.test(label));
  expect(ofState.toSorted()).toEqual([
    'webgpu-optim adamw group 1 exp_avg[0] (48 bytes)',
    'webgpu-optim adamw group 2 exp_avg[0] (16 bytes)',
    'webgpu-optim muon momentum_buffer[0] (176 bytes)',
  ]);
});
