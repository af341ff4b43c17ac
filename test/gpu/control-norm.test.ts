import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, sgd } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { BoundedRun, boundedPart } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import {
  BOUNDED_ELEMENTS,
  LENGTHS,
  NORM_TOLERANCE,
  exactNorm,
  makeTensors,
} from '../support/control-tensors.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';

async function gradNormOf(
  device: GPUDevice,
  track: Track,
  gradients: Float32Array[],
  lossScale = 1,
): Promise<number> {
  const params = makeTensors(device, track, gradients, new Random(1)).map(({ parameter }) => parameter);
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params, maxGradNorm: 1, lossScale }));
  optimizer.step();
  return (await optimizer.stats()).gradNorm;
}

for (const scale of [1, 1e-25, 1e-15, 1e15, 1e25, 1e30]) {
  gpuTest(`the global norm of gradients around ${scale}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const gradients = LENGTHS.map((length) => random.weights(length).map((x) => scale * x));
    const norm = await gradNormOf(device, track, gradients);
    expect(Math.abs(norm / exactNorm(gradients) - 1)).toBeLessThan(NORM_TOLERANCE);
  });
}

gpuTest(
  'the norm of gradients of all magnitudes at once is that of the largest',
  async ({ device, track }) => {
    const gradients = [Float32Array.of(3e30, 1e-30, 1), Float32Array.of(-4e30, 1e10)];
    expect(await gradNormOf(device, track, gradients)).toBeCloseTo(5e30, -26);
    const small = [Float32Array.of(3e-30), Float32Array.of(4e-30, 0)];
    expect((await gradNormOf(device, track, small)) / 5e-30).toBeCloseTo(1, 6);
    expect(await gradNormOf(device, track, [new Float32Array(9)])).toBe(0);
    // The unscaled norm is representable, the scaled sum of squares is not.
    expect(
      (await gradNormOf(device, track, [Float32Array.of(3e38, 3e38)], 65_536)) / (3e38 / 65_536),
    ).toBeCloseTo(Math.SQRT2, 6);
    // Beyond what a float32 holds.
    expect(await gradNormOf(device, track, [Float32Array.of(3e38, 3e38)])).toBe(Infinity);
  },
);

gpuTest('sums of different kinds are one norm', async ({ device, track }) => {
  // Far enough apart for invocations of their own; of each pair one is made of scaled numbers, the other not.
  for (const unit of [2 ** 42, 2 ** -42]) {
    const gradients = [8, 3].map((value) => Float32Array.of(value * unit, ...new Float32Array(8191)));
    const norm = await gradNormOf(device, track, gradients);
    expect(Math.abs(norm / exactNorm(gradients) - 1)).toBeLessThan(NORM_TOLERANCE);
  }
});

gpuTest('the norm has the same bits whenever it is computed', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradients = LENGTHS.map((length) => random.gradients(length));
  const first = await gradNormOf(device, track, gradients);
  for (let k = 0; k < 3; k++) expect(await gradNormOf(device, track, gradients)).toBe(first);
});

// What comes before the rule is one kernel for all of them; another third of them for each seed.
for (const [name, factory] of drawn([...ruleFactories], 5)) {
  gpuTest(
    `${name} clips as clip_grad_norm_ and goes on as with clipped gradients`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const gradients = () => LENGTHS.map((length) => random.weights(length));
      const tensors = makeTensors(device, track, gradients(), random);
      const params = tensors.map(({ parameter }) => parameter);
      const maxGradNorm = 100;
      const optimizer = track(await Optimizer.create(device, { rule: factory(), params, maxGradNorm }));
      const twin = new ReferenceOptimizer({
        rule: factory(),
        precision: 'f32',
        params: tensors.map(({ weights }, k) => ({ name: `w${k}`, data: weights })),
      });
      const bounds = tensors.map(
        ({ weights }) => new BoundedRun(factory(), boundedPart(factory(), weights, BOUNDED_ELEMENTS)),
      );
      for (let step = 0; step < 4; step++) {
        // Every other step stays below the limit.
        const now = gradients().map((g) => (step % 2 === 0 ? g : g.map((x) => x / 16)));
        tensors.forEach(({ upload }, k) => upload(now[k]!));
        optimizer.step();
        const { gradNorm, clipFactor } = await optimizer.stats();
        const norm = exactNorm(now);
        expect(Math.abs(gradNorm / norm - 1)).toBeLessThan(NORM_TOLERANCE);
        // The quotient is off by 2.5 ULP, the sum below it by one.
        expect(Math.abs(clipFactor / Math.min(1, maxGradNorm / (norm + 1e-6)) - 1)).toBeLessThan(
          NORM_TOLERANCE + 3.5 * 2 ** -23,
        );
        expect(clipFactor < 1).toBe(step % 2 === 0);
        // The factor as the GPU had it: its own error was judged above.
        const clipped = now.map((g) => g.map((x) => Math.fround(x * clipFactor)));
        twin.step(clipped);
        bounds.forEach((bound, k) => bound.step(clipped[k]!));
      }
      for (const [k, { weights }] of tensors.entries()) {
        const got = await optimizer.readParam(`w${k}`);
        if (isSwiftShader(device)) expect(bitDifference(got, weights), `w${k}`).toBeUndefined();
        checkWithinBound(got, bounds[k]!.weights, `w${k}`);
      }
    },
  );
}
