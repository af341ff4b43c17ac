import { expect, inject } from 'vitest';
import { resolveAverages } from '../../src/averages/registry.js';
import { type AverageOptions, Optimizer, OptimizerError, adam, sgd } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { withSettings } from '../../src/rules/rule.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { isTurn } from '../support/draw.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { makeParameter } from '../support/tensors.js';

const COMBINATIONS: AverageOptions[] = [
  { ema: { decay: 0.9 } },
  { ema: { decay: 0.99, warmup: true, startStep: 3, init: 'first-update' } },
  { ema: { decay: 0.9, startStep: 4 } },
  { swa: { start: 2, period: 3 } },
  { lookahead: { every: 3, alpha: 0.5 } },
  { lookahead: { every: 1, alpha: 1 }, ema: { decay: 0.5 }, swa: { start: 1, period: 1 } },
];

/** A twelfth of them: each combination has its turn in every run, and each rule in every second one. */
const isWanted = (rule: number, combination: number): boolean => isTurn(rule + 2 * combination, 12);

for (const [index, [name, factory]] of ruleFactories.entries()) {
  for (const options of COMBINATIONS.filter((_, k) => isWanted(index, k))) {
    gpuTest(`${name} with ${JSON.stringify(options)}`, async ({ device, track }) => {
      const rule = withSettings(factory(), { averages: resolveAverages(options) });
      const parity = checkParity({
        device,
        track,
        rule: factory(),
        averages: options,
        layouts: [
          { length: 257, dataOffset: 1, gradOffset: 0 },
          { length: 4100, dataOffset: 0, gradOffset: 0 },
        ],
        oneBuffer: false,
        steps: 12,
        random: new Random(inject('seed')),
        boundedElements: 32,
      });
      // Adan with all three averages has one slot more than every device takes beside data and gradient.
      if (2 + layoutOf(rule).elementSlots.length > device.limits.maxStorageBuffersPerShaderStage) {
        await expect(parity).rejects.toThrow('maxStorageBuffersPerShaderStage');
      } else await parity;
    });
  }
}

// SGD with lr 1 on a gradient of −1 counts: the weight after step t is t. All numbers below are exact in float32.
gpuTest('the averages of a counter are what their papers say', async ({ device, track }) => {
  const run = async (options: AverageOptions, slot: 'ema' | 'swa' | 'slow', steps: number) => {
    const params = [makeParameter(device, track, 'w', [0], [-1])];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ...options }));
    const seen: number[] = [];
    for (let t = 1; t <= steps; t++) {
      optimizer.step();
      seen.push((await optimizer.readState('w', slot))[0]!);
    }
    return { seen, weight: (await optimizer.readParam('w'))[0] };
  };
  // a ← a/2 + t/2, from a = 0.
  expect((await run({ ema: { decay: 0.5 } }, 'ema', 4)).seen).toEqual([0.5, 1.25, 2.125, 3.0625]);
  // Starts as the weight after step 1.
  expect((await run({ ema: { decay: 0.5, init: 'first-update' } }, 'ema', 3)).seen).toEqual([1, 1.5, 2.25]);
  // Follows for two steps; then averages, with the weight of step 2 to begin with.
  expect((await run({ ema: { decay: 0.5, startStep: 2 } }, 'ema', 4)).seen).toEqual([1, 2, 2.5, 3.25]);
  // Means of {1}, {1, 3}, {1, 3, 5}.
  expect((await run({ swa: { start: 1, period: 2 } }, 'swa', 5)).seen).toEqual([1, 1, 2, 2, 3]);
  // Every second step back half of the way: 1, 2→1, 2, 3→2, 3, 4→3.
  const { seen, weight } = await run({ lookahead: { every: 2, alpha: 0.5 } }, 'slow', 6);
  expect(seen).toEqual([0, 1, 1, 2, 2, 3]);
  expect(weight).toBe(3);
});

gpuTest('averages count applied steps only', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [0], [-1]);
  const config = { rule: sgd({ lr: 1 }), params: [param], ema: { decay: 0.5 }, skipNonFinite: true };
  const optimizer = track(await Optimizer.create(device, config));
  for (const gradient of [NaN, -1, NaN, -1]) {
    device.queue.writeBuffer(param.grad, 0, Float32Array.of(gradient));
    optimizer.step();
  }
  expect([...(await optimizer.readEma('w'))]).toEqual([1.25]);
});

gpuTest(
  'swapEma exchanges weights and averages, there and back, and a state dict carries them',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const create = async (weights: number[]) => {
      const params = weights.map((w, k) => makeParameter(device, track, `w${k}`, [w, w], [1, 2]));
      return track(await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params, ema: { decay: 0.75 } }));
    };
    const optimizer = await create([random.uniform(), random.uniform()]);
    for (let k = 0; k < 3; k++) optimizer.step();
    const [weights, averages] = await Promise.all([optimizer.readParam('w1'), optimizer.readEma('w1')]);
    expect(bitDifference(weights, averages)).toBeDefined();
    optimizer.swapEma();
    expect(bitDifference(await optimizer.readParam('w1'), averages)).toBeUndefined();
    expect(bitDifference(await optimizer.readEma('w1'), weights)).toBeUndefined();
    optimizer.swapEma();
    expect(bitDifference(await optimizer.readParam('w1'), weights)).toBeUndefined();
    const other = await create([1, 1]);
    await other.loadStateDict(await optimizer.stateDict());
    expect(bitDifference(await other.readEma('w1'), averages)).toBeUndefined();
  },
);

gpuTest('bad averages are refused', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [1])];
  const bad: [string, object][] = [
    ['decay is 1', { ema: { decay: 1 } }],
    ['decay is -0.1', { ema: { decay: -0.1 } }],
    ['decay is not given', { ema: {} }],
    ['ema is 0.9', { ema: 0.9 }],
    ['ema is null', { ema: null }],
    ['init is "zeros"', { ema: { decay: 0.9, init: 'zeros' } }],
    ['startStep is -1', { ema: { decay: 0.9, startStep: -1 } }],
    ['unknown option "decy"', { ema: { decay: 0.9, decy: 1 } }],
    ['period is 0', { swa: { start: 1, period: 0 } }],
    ['start is 0.5', { swa: { start: 0.5, period: 1 } }],
    ['every is 0', { lookahead: { every: 0, alpha: 0.5 } }],
    ['alpha is 0', { lookahead: { every: 5, alpha: 0 } }],
  ];
  for (const [message, options] of bad) {
    const created = Optimizer.create(device, { rule: sgd(), params, ...options });
    await expect(created, message).rejects.toThrow(message);
    await expect(created).rejects.toBeInstanceOf(OptimizerError);
  }
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
  expect(() => optimizer.swapEma()).toThrow('no state "ema"');
  await expect(optimizer.readEma('w')).rejects.toThrow('no state "ema"');
});
