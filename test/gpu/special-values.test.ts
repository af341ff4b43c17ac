import { inject } from 'vitest';
import { singleOptionCases } from '../../proof/option-cases.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { Optimizer, ReferenceOptimizer, type Rule } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const SPECIAL = [0, 1, 1e30, 1e-30, 2 ** -126, 1e-38, 1e-40, 2 ** -149, 3.4028234663852886e38, Infinity, NaN];
const SIGNED = SPECIAL.flatMap((value) => [value, -value]);

/** Which of these a float is; WGSL leaves NaN payloads, and the bits of inexact results, to the implementation. */
function classOf(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? 'finite' : String(value);
}

async function checkSpecialValues(
  rule: Rule,
  random: Random,
  device: GPUDevice,
  track: Track,
): Promise<void> {
  // Every special weight meets every special gradient; a second step brings other pairs to the state of the first.
  const weights = Float32Array.from(SIGNED.flatMap((w) => SIGNED.map(() => w)));
  const pairs = Float32Array.from(SIGNED.flatMap(() => SIGNED));
  const data = makeBuffer(device, track, weights);
  const grad = makeBuffer(device, track, pairs);
  const optimizer = track(await Optimizer.create(device, { rule, params: [{ name: 'w', data, grad }] }));
  const twin = new ReferenceOptimizer({ rule, precision: 'f32', params: [{ name: 'w', data: weights }] });
  for (let step = 0; step < 4; step++) {
    const gradients = step === 0 ? pairs : Float32Array.from(pairs, () => random.pick(SIGNED));
    device.queue.writeBuffer(grad, 0, gradients);
    optimizer.step();
    twin.step([gradients]);
    const got = await optimizer.readParam('w');
    if (isSwiftShader(device)) {
      const difference = bitDifference(got, weights);
      if (difference !== undefined) throw new Error(`after step ${step}: ${difference}`);
    } else {
      const wrong = got.findIndex((value, i) => classOf(value) !== classOf(weights[i]!));
      if (wrong >= 0)
        throw new Error(`after step ${step}, [${wrong}]: got ${got[wrong]}, want ${weights[wrong]}`);
    }
  }
}

const cases = drawn(singleOptionCases(), 4);

for (const [name] of ruleFactories) {
  const ofRule = cases.filter(({ rule }) => rule.name === name);
  gpuTest(
    `NaN, infinities, subnormals and extremes, ${name} with each setting of each option: ${ofRule.length}`,
    ({ device, track }) =>
      checkTogether(
        ofRule,
        ({ title }) => title,
        (ruleCase) => {
          const random = new Random(inject('seed') + cases.indexOf(ruleCase));
          return checkSpecialValues(ruleCase.rule, random, device, track);
        },
      ),
  );
}
