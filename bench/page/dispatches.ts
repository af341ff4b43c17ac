import type { DispatchPage } from '../kernel-protocol.js';
import { describeAdapter, describeBrowser, requestBenchDevice } from './device.js';
import { type Experiment, createExperiments } from './dispatch-experiments.js';
import { readBack } from './read-back.js';

let device: GPUDevice;
let experiments: Experiment[] = [];

function step(experiment: Experiment): void {
  const encoder = device.createCommandEncoder({ label: 'bench dispatches' });
  const pass = encoder.beginComputePass({ label: 'bench dispatches' });
  experiment.encode(pass);
  pass.end();
  const commands = encoder.finish();
  if (experiment.submitted) device.queue.submit([commands]);
}

/** @throws Error if a step leaves a weight as it was. */
async function verify(experiment: Experiment): Promise<void> {
  const read = () =>
    Promise.all(experiment.weights.map((buffer) => readBack(device, buffer, experiment.weightCount)));
  const before = await read();
  step(experiment);
  const after = await read();
  for (const [k, weights] of after.entries()) {
    const i = weights.findIndex((weight, j) => weight === before[k]![j]);
    if (i >= 0) throw new Error(`"${experiment.name}" leaves weight ${i} as it was: its times mean nothing.`);
  }
}

const bench: DispatchPage = {
  open: async () => {
    ({ device } = await requestBenchDevice(navigator.gpu, Infinity, ['maxStorageBuffersPerShaderStage']));
    experiments = await createExperiments(device);
    for (const experiment of experiments) await verify(experiment);
    return {
      adapter: describeAdapter(device),
      browser: describeBrowser(),
      experiments: experiments.map(({ name }) => name),
    };
  },
  measure: async (index, steps) => {
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) step(experiments[index]!);
    const encodedMs = performance.now() - start;
    await device.queue.onSubmittedWorkDone();
    return { encodedMs, doneMs: performance.now() - start };
  },
};

Object.assign(globalThis, { bench });
