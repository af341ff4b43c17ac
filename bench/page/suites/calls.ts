import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { createWorkload } from '../../../lab/measuring/page/workload.js';
import { Optimizer, adam } from '../../../src/index.js';
import type { CallRequest } from '../../suites/calls.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;

let device: GPUDevice;

async function prepare({ call, tensorCount, elementsPerTensor }: CallRequest): Promise<SuiteContestant> {
  const text = `${tensorCount}x${elementsPerTensor}`;
  // Buffers change places with each other.
  const workloads = [1, 2].map(() => createWorkload(device, { text, tensorCount, elementsPerTensor }, SEED));
  const sets = workloads.map(({ data, grad }) =>
    Object.fromEntries(data.map((buffer, k) => [`w${k}`, { data: buffer, grad: grad[k]! }] as const)),
  );
  const params = Object.entries(sets[0]!).map(([name, buffers]) => ({ name, ...buffers }));
  const optimizer = await Optimizer.create(device, { rule: adam(), params });
  optimizer.step();
  const some = sets.map((set) => ({ w0: set['w0']! }));
  let turn = 0;
  const steps: Record<CallRequest['call'], () => unknown> = {
    // Never submitted: a step's computing is not what is measured here.
    encode: () => optimizer.encode(device.createCommandEncoder({ label: 'bench dropped' })),
    'rebind one': () => optimizer.rebind(some[(turn ^= 1)]!),
    'rebind all': () => optimizer.rebind(sets[(turn ^= 1)]!),
    'state dict': () => optimizer.stateDict(),
  };
  return {
    step: steps[call],
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      optimizer.destroy();
      for (const workload of workloads) workload.destroy();
    },
  };
}

export const bench = suitePage<CallRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
