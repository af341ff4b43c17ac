import { Optimizer } from '../../src/index.js';
import { goldenCases } from '../fixtures/golden/index.js';
import { BoundedRun } from '../support/bounded-run.js';
import { checkWithinBound } from '../support/compare.js';
import { gpuTest } from '../support/device.js';
import { goldenGradients, goldenRule } from '../support/golden.js';

for (const golden of goldenCases) {
  gpuTest(`published numbers on the GPU: ${golden.name}`, async ({ device, track }) => {
    const rule = goldenRule(golden, golden.options);
    const param = Float32Array.from(golden.param);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const data = track(device.createBuffer({ label: 'data', size: param.byteLength, usage }));
    const grad = track(device.createBuffer({ label: 'grad', size: param.byteLength, usage }));
    device.queue.writeBuffer(data, 0, param);
    const optimizer = track(await Optimizer.create(device, { rule, params: [{ name: 'w', data, grad }] }));
    // From the unrounded numbers: what rounding them to float32 costs is part of the bound.
    const bounded = new BoundedRun(rule, golden.param, 0.5);
    const reads: Promise<void>[] = [];
    for (const [k, gradient] of goldenGradients(golden).entries()) {
      device.queue.writeBuffer(grad, 0, Float32Array.from(gradient));
      optimizer.step();
      bounded.step(gradient);
      for (const { step, param: want, tolerance } of golden.expected) {
        if (step !== k + 1) continue;
        const allowed = want.map((value, i) => ({ value, error: tolerance + bounded.weights[i]!.error }));
        const what = `${golden.source}, step ${step}`;
        reads.push(optimizer.readParam('w').then((got) => void checkWithinBound(got, allowed, what)));
      }
    }
    await Promise.all(reads);
  });
}
