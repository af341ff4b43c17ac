/** Hyper-parameters that change in the course of a run: schedules for every number, and `group.set`. */
import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  ReferenceOptimizer,
  type Rule,
  adafactor,
  adam,
  rmsprop,
  scheduleFreeSgd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import type { OptionSpec } from '../../src/rules/options/options.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';

const LENGTHS = [5, 130];
const CONTROLLED = { skipNonFinite: true, maxGradNorm: 1e3 };

type Schedule = (step: number) => number;

/** Schedules for every option that takes one, which come by 0 where that is allowed. */
function movingOptions(specs: Readonly<Record<string, OptionSpec<unknown>>>): Record<string, unknown> {
  const between = ({ default: usual, samples, accepts }: OptionSpec<number>): Schedule => {
    const other = samples.find((value) => typeof value === 'number') ?? 0.75;
    return (step) => {
      if (step % 3 === 1 && accepts(0)) return 0;
      return usual + ((other - usual) * (step % 4)) / 4;
    };
  };
  return Object.fromEntries(
    Object.entries(specs).flatMap(([name, spec]): [string, unknown][] => {
      if (name === 'lr') return [];
      if (spec.entry) {
        const list = spec.default as readonly number[];
        return [
          [name, list.map((value, k) => (k === 0 ? value : between({ ...spec.entry!, default: value })))],
        ];
      }
      return spec.moves ? [[name, between(spec as OptionSpec<number>)]] : [];
    }),
  );
}

/** An optimizer and its twin over the same numbers, and a comparison of all that they hold. */
async function makePair(device: GPUDevice, track: Track, rule: Rule, settings: object) {
  const random = new Random(inject('seed'));
  const weights = LENGTHS.map((length) => random.weights(length));
  const gradients = LENGTHS.map((length) => random.gradients(length));
  const params = LENGTHS.map((_, k) => makeParameter(device, track, `w${k}`, weights[k]!, gradients[k]!));
  const optimizer = track(await Optimizer.create(device, { rule, params, ...settings }));
  const twin = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    params: weights.map((data, k) => ({ name: `w${k}`, data: Float64Array.from(data) })),
    ...settings,
  });
  const compare = async (): Promise<void> => {
    const [got, want] = [await optimizer.stateDict(), twin.stateDict()];
    expect({ ...got, state: undefined }).toEqual({ ...want, state: undefined });
    // Elsewhere, rates and counts above are all that is exact; kernels are held to their bounds by the parity tests.
    if (!isSwiftShader(device)) return;
    const expectBits = (a: Float32Array, b: Float32Array, what: string) =>
      expect(bitDifference(a, b), what).toBeUndefined();
    for (const [k] of LENGTHS.entries()) {
      expectBits(await optimizer.readParam(`w${k}`), Float32Array.from(twin.readParam(`w${k}`)), `w${k}`);
      for (const [slot, values] of Object.entries(got.state[`w${k}`]!))
        expectBits(values, Float32Array.from(want.state[`w${k}`]![slot]!), slot);
    }
  };
  const step = (count = 1): void => {
    for (let k = 0; k < count; k++) {
      optimizer.step();
      twin.step(gradients);
    }
  };
  return { optimizer, twin, step, compare };
}

for (const [k, [name, factory]] of drawn(ruleFactories, 5).entries()) {
  const settings = k % 2 === 0 ? CONTROLLED : {};
  gpuTest(`${name}: a schedule for every number, ${JSON.stringify(settings)}`, async ({ device, track }) => {
    const options = movingOptions(factory.declaration.options);
    const { step, compare, optimizer } = await makePair(device, track, factory(options), settings);
    step(7);
    await compare();
    const dict = await optimizer.stateDict();
    // Plain numbers: JSON keeps them.
    expect(JSON.parse(JSON.stringify(dict.groups))).toEqual(dict.groups);
    step();
    await compare();
  });
}

for (const settings of [{}, CONTROLLED]) {
  gpuTest(
    `options are set between steps that nobody waits for, ${JSON.stringify(settings)}`,
    async ({ device, track }) => {
      const rule = adam({ lr: 0.1 });
      const { optimizer, twin, step, compare } = await makePair(device, track, rule, settings);
      const set = (options: Parameters<(typeof optimizer.groups)[0]['set']>[0]): void => {
        for (const { groups } of [optimizer, twin]) groups[0]!.set(options);
      };
      step(2);
      set({ weightDecay: 0.1, betas: [0.5, 0.75] });
      step(3);
      set({ eps: 1e-3, weightDecayMode: 'decoupled', lr: (t: number) => 0.1 / (1 + t) });
      step(2);
      expect(optimizer.groups[0]!.options).toMatchObject({
        weightDecay: 0.1,
        betas: [0.5, 0.75],
        lr: 0.1 / 8,
      });
      set({ weightDecay: 0, betas: [0.5, (t: number) => 1 - 1 / (t + 2)], eps: undefined });
      step(2);
      await compare();
      // A run that starts with other numbers takes those of the dict, and goes on.
      const other = await makePair(
        device,
        track,
        adam({ lr: 1, weightDecay: 7, weightDecayMode: 'decoupled' }),
        settings,
      );
      other.step();
      const dict = await optimizer.stateDict();
      await other.optimizer.loadStateDict(dict);
      other.twin.loadStateDict(dict);
      other.step(2);
      await other.compare();
    },
  );
}

gpuTest('what is set compiles nothing, unless a switch changes, and that once', async ({ device, track }) => {
  // No other test has kernels of this shape, which would be there already.
  const settings = { ...CONTROLLED, kernel: { workgroupSize: 23 } };
  const params = LENGTHS.map((length, k) =>
    makeParameter(device, track, `w${k}`, new Float32Array(length), new Float32Array(length)),
  );
  const optimizer = track(await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params, ...settings }));
  optimizer.step();
  const calls = [
    vi.spyOn(device, 'createShaderModule'),
    vi.spyOn(device, 'createComputePipeline'),
    vi.spyOn(device, 'createComputePipelineAsync'),
  ];
  const compiled = () => calls.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  const [group] = optimizer.groups;
  const counts = [
    { lr: 0.5, betas: [0.5, 0.75], eps: 1e-3 },
    { lr: (t: number) => 1 / (t + 1), betas: [(t: number) => 1 - 1 / (t + 2), 0.5] },
    { weightDecay: 0.1 },
    { weightDecay: 0 },
    { weightDecay: 0.25 },
    { weightDecay: (t: number) => (t % 2 === 0 ? 0 : t) },
    {},
  ].map((options) => {
    group!.set(options as Parameters<NonNullable<typeof group>['set']>[0]);
    const before = compiled();
    for (let k = 0; k < 3; k++) optimizer.step();
    return compiled() - before;
  });
  for (const call of calls) call.mockRestore();
  // One kernel for both tensors, which share a dispatch: a module and a pipeline.
  expect(counts).toEqual([0, 0, 2, 0, 0, 0, 0]);
});

gpuTest('a bad option changes nothing, and says what to give', async ({ device, track }) => {
  const rule = rmsprop({ lr: 0.1, alpha: (step) => (step === 1 ? NaN : 0.5) });
  const { optimizer, twin, step, compare } = await makePair(device, track, rule, {});
  const [group] = optimizer.groups;
  const messageOf = async (options: object) => (await errorOf(() => group!.set(options))).message;
  expect(await messageOf({ wieghtDecay: 1 })).toContain('unknown option "wieghtDecay"');
  expect(await messageOf({ eps: -1 })).toContain('eps is -1');
  expect(await messageOf({ weightDecay: NaN })).toContain('weightDecay is NaN');
  expect(await messageOf({ momentum: 0.9 })).toContain('needs "momentum_buffer"');
  expect(await messageOf({ initialAccumulator: 1 })).toContain(
    'initialAccumulator says how the state begins',
  );
  expect(await messageOf([0.1])).toContain('are no options');
  // A list that is the same is none of the reasons.
  const ofLists = await makePair(device, track, adafactor(), {});
  const withMomentum = await errorOf(() => ofLists.optimizer.groups[0]!.set({ beta1: 0.9 }));
  expect(withMomentum.message).toContain('with this beta1, adafactor needs "exp_avg"');
  // The state of a run with momentum has no place here.
  const other = await makePair(device, track, rmsprop({ lr: 0.1, momentum: 0.9 }), {});
  const dict = await other.optimizer.stateDict();
  expect((await errorOf(() => optimizer.loadStateDictSync(dict))).message).toContain(
    'momentum is 0.9 in the dict and 0 here',
  );
  step();
  const before = await optimizer.stats();
  // Of all that asks the schedule now, nothing goes on.
  for (const call of [() => optimizer.step(), () => optimizer.stateDict(), () => group!.options]) {
    const { message } = await errorOf(call);
    expect(message).toContain('the alpha schedule returned NaN at step 1; make it return a number in [0, 1)');
  }
  expect(await optimizer.stats()).toEqual(before);
  for (const { groups } of [optimizer, twin]) groups[0]!.set({ alpha: 0.5 });
  step();
  await compare();
  expect(group!.options.alpha).toBe(0.5);
  optimizer.destroy();
  expect((await errorOf(() => group!.set({ alpha: 0.5 }))).code).toBe('destroyed');
});

gpuTest(
  'weights to evaluate with go back as they came, whatever is set meanwhile',
  async ({ device, track }) => {
    const rule = scheduleFreeSgd({ lr: 0.1, momentum: 0.9 });
    const { optimizer, twin, step, compare } = await makePair(device, track, rule, {});
    step(3);
    for (const momentum of [0.5, 0.75]) {
      for (const each of [optimizer, twin]) {
        each.eval();
        each.groups[0]!.set({ momentum });
        each.train();
      }
      await compare();
      step();
    }
    await compare();
  },
);
