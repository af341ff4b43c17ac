/** Tensors are measured by one tree, whether a workgroup does it, as on GPUs, or an invocation, as on CPU adapters. */
import { expect, inject } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Optimizer, ReferenceOptimizer, adafactor, lamb, lars, novograd, sgd } from '../../src/index.js';
import { requestClaimedGpu } from '../support/claimed-gpu.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { makeParameter } from '../support/tensors.js';

const LENGTHS = [1, 3, 64, 257, 8191, 8192, 8193, 8 * 8192 + 5, 65_535 * 4 + 1];
const RULES = drawn([lars(), lamb(), novograd(), adafactor()], 2);

/** The entry points of what a device compiles from now on. */
function watchEntryPoints(device: GPUDevice): Set<string> {
  const seen = new Set<string>();
  const create = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (descriptor) => {
    seen.add(descriptor.compute.entryPoint!);
    return await create(descriptor);
  };
  return seen;
}

gpuTest('the bits are the same, and those of the twin', async ({ track }) => {
  const adapter = await getTestAdapter();
  const own = track(await adapter.requestDevice({ label: 'as it is' }));
  const claimed = await requestClaimedGpu(track);
  const entryPoints = [own, claimed].map(watchEntryPoints);
  const random = new Random(inject('seed'));
  const tensors = LENGTHS.map((length, k) => {
    const gradients = random.gradients(length);
    // Of some, magnitudes whose squares over- and underflow; of others, all of them, of neighbours or of whole stretches.
    const scaleOf = [
      () => 1,
      () => 1e-30,
      (i: number) => 2 ** (((7 * i) % 120) - 80),
      (i: number) => 2 ** (40 * ((i >> 8) % 5) - 100),
      () => 1e25,
    ][k % 5]!;
    return {
      weights: random.weights(length),
      gradients: gradients.map((value, i) => value * scaleOf(i)),
    };
  });
  for (const rule of RULES) {
    const weights = await Promise.all(
      [own, claimed].map(async (device) => {
        const params = tensors.map(({ weights: data, gradients }, k) =>
          makeParameter(device, track, `t${k}`, data, gradients),
        );
        const optimizer = track(await Optimizer.create(device, { rule, params }));
        for (let step = 0; step < 3; step++) optimizer.step();
        return await Promise.all(params.map((_, k) => optimizer.readParam(`t${k}`)));
      }),
    );
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: tensors.map(({ weights: data }, k) => ({ name: `t${k}`, data: data.slice() })),
    });
    for (let step = 0; step < 3; step++) twin.step(tensors.map(({ gradients }) => gradients));
    for (const [k, length] of LENGTHS.entries()) {
      if (isSwiftShader(own)) {
        const want = Float32Array.from(twin.readParam(`t${k}`));
        expect(bitDifference(weights[0]![k]!, want), `${rule.name}, ${length}, twin`).toBeUndefined();
      }
      expect(
        bitDifference(weights[0]![k]!, weights[1]![k]!),
        `${rule.name}, ${length} elements`,
      ).toBeUndefined();
    }
  }
  expect(entryPoints[0]).toContain('measure_alone');
  expect(entryPoints[0]).not.toContain('measure_tensor');
  expect(entryPoints[1]).toContain('measure_tensor');
  expect(entryPoints[1]).not.toContain('measure_alone');
});

gpuTest('the sum alone is looked at on CPU adapters only', async ({ track }) => {
  const own = track(await (await getTestAdapter()).requestDevice({ label: 'as it is' }));
  const seen: (number | undefined)[] = [];
  for (const device of [own, await requestClaimedGpu(track)]) {
    const create = device.createComputePipelineAsync.bind(device);
    device.createComputePipelineAsync = async (descriptor) => {
      const { entryPoint, constants } = descriptor.compute;
      if (entryPoint === 'reduce') seen.push(constants?.['PROPAGATES']);
      return await create(descriptor);
    };
    const params = [makeParameter(device, track, 'w', [1, 2], [3, 4])];
    track(await Optimizer.create(device, { rule: sgd(), params, maxGradNorm: 1 }));
  }
  expect(seen).toEqual([1, 0]);
});
