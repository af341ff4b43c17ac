import { rules } from '../../src/index.js';
import { elementSlots } from '../../src/kernel/variant.js';
import type { Rule } from '../../src/rules/rule.js';
import type { KernelPage } from '../kernel-protocol.js';
import { describeAdapter, describeBrowser, requestBenchDevice } from './device.js';
import { createLimitKernel } from './limit-kernel.js';
import { type Dispatchable, createStepKernel } from './step-kernel.js';
import { createArray, createRandomTile } from './workload.js';

const SEED = 1;

let device: GPUDevice;
let rule: Rule;
let elementCount = 0;
let arrays: GPUBuffer[] = [];
let kernels: Dispatchable[] = [];

function submit(kernel: Dispatchable): void {
  const encoder = device.createCommandEncoder({ label: 'bench kernel' });
  const pass = encoder.beginComputePass({ label: 'bench kernel' });
  kernel.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

const bench: KernelPage = {
  open: async () => {
    device = (await requestBenchDevice(navigator.gpu)).device;
    return { adapter: describeAdapter(device), browser: describeBrowser() };
  },
  prepare: async (request) => {
    await device.queue.onSubmittedWorkDone();
    for (const buffer of arrays) buffer.destroy();
    rule = rules[request.rule as keyof typeof rules]();
    elementCount = request.elementCount;
    kernels = [];
    const values = createRandomTile(elementCount, SEED);
    arrays = ['grad', 'data', ...elementSlots(rule)].map((name) => {
      // Second moments are sums of squares; a negative one would turn everything into NaN.
      const filling = name.endsWith('sq') || name === 'sum' ? values.map(Math.abs) : values;
      return createArray(device, `kernel ${name}`, elementCount, filling);
    });
  },
  add: async ({ source, shape }) => {
    const kernel =
      source === 'limit'
        ? await createLimitKernel(device, [arrays], shape)
        : await createStepKernel(
            device,
            rule,
            arrays,
            elementCount,
            shape,
            source === 'ours' ? undefined : source.wgsl,
          );
    return kernels.push(kernel) - 1;
  },
  measure: async (index, steps) => {
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) submit(kernels[index]!);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  },
};

Object.assign(globalThis, { bench });
