import { inject } from 'vitest';
import {
  type AverageOptions,
  Optimizer,
  ReferenceOptimizer,
  type Rule,
  type StateDict,
} from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const SMALL = [0, 2 ** -149, 1e-40, 2 ** -126 - 2 ** -149, 2 ** -126, 1e-37, 1e-30, 1];
const SIGNED = SMALL.flatMap((value) => [value, -value]);

/** Averages move values without computing with them, above all where they start. */
const AVERAGES: readonly AverageOptions[] = [
  {},
  { lookahead: { every: 3, alpha: 0.5 } },
  { lookahead: { every: 1, alpha: 1 }, ema: { decay: 0.5 } },
  { ema: { decay: 0.9, startStep: 2, init: 'first-update' } },
  { swa: { start: 2, period: 2 } },
];

/**
 * Every small weight meets every small gradient, on a state of small values; later steps bring other pairs to the state of
 * the earlier ones.
 */
async function checkSmallValues(
  rule: Rule,
  averages: AverageOptions,
  device: GPUDevice,
  track: Track,
): Promise<void> {
  const random = new Random(inject('seed'));
  const weights = Float32Array.from(SIGNED.flatMap((w) => SIGNED.map(() => w)));
  const pairs = Float32Array.from(SIGNED.flatMap(() => SIGNED));
  const data = makeBuffer(device, track, weights);
  const grad = makeBuffer(device, track, pairs);
  const config = { rule, ...averages };
  const optimizer = track(await Optimizer.create(device, { ...config, params: [{ name: 'w', data, grad }] }));
  const twin = new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: [{ name: 'w', data: weights }],
  });
  const dict = twin.stateDict();
  for (const values of Object.values(dict.state['w']!))
    values.forEach((_, i) => (values[i] = random.pick(SMALL)));
  await optimizer.loadStateDict(dict as StateDict);
  twin.loadStateDict(dict);
  const slots = Object.keys(dict.state['w']!);
  for (let step = 0; step < 4; step++) {
    const gradients = step === 0 ? pairs : Float32Array.from(pairs, () => random.pick(SIGNED));
    device.queue.writeBuffer(grad, 0, gradients);
    optimizer.step();
    twin.step([gradients]);
    const got = await Promise.all([
      optimizer.readParam('w'),
      ...slots.map((slot) => optimizer.readState('w', slot)),
    ]);
    const want = [twin.readParam('w'), ...slots.map((slot) => twin.readState('w', slot))];
    got.forEach((values, k) => {
      const difference = bitDifference(values, Float32Array.from(want[k]!));
      if (difference !== undefined)
        throw new Error(`${slots[k - 1] ?? 'weights'} after step ${step}: ${difference}`);
    });
  }
}

/** Rules that can choose between two states. */
const WITH_MAXIMUM = ['adam', 'adamw', 'radam', 'adabelief', 'novograd'];

for (const [name, factory] of drawn([...ruleFactories], 4)) {
  gpuTest(
    `what is moved keeps its subnormals, what is computed loses them: ${name}`,
    async ({ device, track, skip }) => {
      if (!isSwiftShader(device)) skip('WGSL leaves flushing open; bits are known of SwiftShader alone');
      const options = WITH_MAXIMUM.includes(name) ? { amsgrad: true } : {};
      const rule = factory(options);
      // With norms, three kernels take a second to compile for each; averages are the same for all rules.
      const averages = layoutOf(rule).tensor ? AVERAGES.slice(0, 2) : AVERAGES;
      await checkTogether(averages, JSON.stringify, (wanted) =>
        checkSmallValues(rule, wanted, device, track),
      );
    },
  );
}
