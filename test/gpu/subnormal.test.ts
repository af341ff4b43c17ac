import { inject } from 'vitest';
import {
  type AverageOptions,
  type GradientOptions,
  Optimizer,
  ReferenceOptimizer,
  type Rule,
} from '../../src/index.js';
import { resolveAverages } from '../../src/averages/registry.js';
import { usedSlots } from '../../src/kernel/variant.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { withAverages } from '../../src/rules/rule.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const SMALL = [0, 2 ** -149, 1e-40, 2 ** -126 - 2 ** -149, 2 ** -126, 1e-37, 1e-30, 1];
const SIGNED = SMALL.flatMap((value) => [value, -value]);

interface Surroundings extends AverageOptions, Pick<GradientOptions, 'maxGradValue'> {}

/** What moves values without computing with them: averages that start, and gradients clamped to a subnormal limit. */
const SURROUNDINGS: readonly Surroundings[] = [
  {},
  { lookahead: { every: 3, alpha: 0.5 } },
  { lookahead: { every: 1, alpha: 1 }, ema: { decay: 0.5 } },
  { ema: { decay: 0.9, startStep: 2, init: 'first-update' } },
  { swa: { start: 2, period: 2 } },
  { maxGradValue: 1e-40 },
];

/** Every small weight meets every small gradient; later steps bring other pairs to the state of the earlier ones. */
async function checkSmallValues(
  rule: Rule,
  surroundings: Surroundings,
  device: GPUDevice,
  track: Track,
): Promise<void> {
  const random = new Random(inject('seed'));
  const weights = Float32Array.from(SIGNED.flatMap((w) => SIGNED.map(() => w)));
  const pairs = Float32Array.from(SIGNED.flatMap(() => SIGNED));
  const data = makeBuffer(device, track, weights);
  const grad = makeBuffer(device, track, pairs);
  const config = { rule, ...surroundings };
  const optimizer = track(await Optimizer.create(device, { ...config, params: [{ name: 'w', data, grad }] }));
  const twin = new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: [{ name: 'w', data: weights }],
  });
  const slots = usedSlots(withAverages(rule, resolveAverages(surroundings)));
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

for (const [name, factory] of ruleFactories) {
  gpuTest(
    `what is moved keeps its subnormals, what is computed loses them: ${name}`,
    async ({ device, track, skip }) => {
      if (!isSwiftShader(device)) skip('WGSL leaves flushing open; bits are known of SwiftShader alone');
      await checkTogether(SURROUNDINGS, JSON.stringify, (surroundings) =>
        checkSmallValues(factory(), surroundings, device, track),
      );
    },
  );
}
