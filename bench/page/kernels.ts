import { rules } from '../../src/index.js';
import { elementSlots } from '../../src/kernel/variant.js';
import type { Rule } from '../../src/rules/rule.js';
import { parseCase } from '../cases.js';
import type { KernelPage } from '../kernel-protocol.js';
import { describeSurroundings, requestBenchDevice } from './device.js';
import { createLimitKernel } from './limit-kernel.js';
import { type Dispatchable, createStepKernel } from './step-kernel.js';
import { createArray, createWorkload } from './workload.js';

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
    device = await requestBenchDevice();
    return describeSurroundings(device);
  },
  prepare: async (request) => {
    await device.queue.onSubmittedWorkDone();
    for (const buffer of arrays) buffer.destroy();
    rule = rules[request.rule as keyof typeof rules]();
    elementCount = request.elementCount;
    kernels = [];
    const workload = createWorkload(device, parseCase(String(elementCount)), SEED);
    const values = workload.randomArray(Math.min(elementCount, 1 << 20));
    workload.destroy();
    arrays = ['grad', 'data', ...elementSlots(rule)].map((name) => {
      // Second moments are sums of squares; a negative one would turn everything into NaN.
      const filling = name.endsWith('sq') || name === 'sum' ? values.map(Math.abs) : values;
      return createArray(device, `kernel ${name}`, elementCount, filling);
    });
  },
  add: async ({ source, shape }) => {
    const kernel =
      source === 'limit'
        ? await createLimitKernel(device, arrays, elementCount, shape)
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
