import { inject } from 'vitest';
import { singleOptionCases } from '../support/option-cases.js';
import { gpuTest, isSwiftShader } from '../support/device.js';
import { Optimizer, ReferenceOptimizer } from '../../src/index.js';
import { bitDifference } from '../support/compare.js';
import { Random } from '../support/random.js';

const SPECIAL = [0, 1, 1e30, 1e-30, 2 ** -126, 1e-38, 1e-40, 2 ** -149, 3.4028234663852886e38, Infinity, NaN];
const SIGNED = SPECIAL.flatMap((value) => [value, -value]);

/** Which of these a float is; WGSL leaves NaN payloads, and the bits of inexact results, to the implementation. */
function classOf(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? 'finite' : String(value);
}

for (const [index, { title, rule }] of singleOptionCases().entries()) {
  gpuTest(`NaN, infinities, subnormals and extremes, ${title}`, async ({ device, track }) => {
    // Every special weight meets every special gradient; a second step brings other pairs to the state of the first.
    const weights = Float32Array.from(SIGNED.flatMap((w) => SIGNED.map(() => w)));
    const pairs = Float32Array.from(SIGNED.flatMap(() => SIGNED));
    const random = new Random(inject('seed') + index);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const data = track(device.createBuffer({ label: 'data', size: weights.byteLength, usage }));
    const grad = track(device.createBuffer({ label: 'grad', size: weights.byteLength, usage }));
    device.queue.writeBuffer(data, 0, weights);
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
  });
}
