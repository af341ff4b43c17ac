import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { createWorkload } from '../../../lab/measuring/page/workload.js';
import { Optimizer, ReferenceOptimizer, adam } from '../../../src/index.js';
import { callsOf, encodeBare } from '../bare-calls.js';
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
  const [values, gradients] = [workloads[0]!, workloads[1]!].map((workload) =>
    workload.randomArray(tensorCount * elementsPerTensor),
  ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>];
  const reference = (precision: 'f32' | 'f64') => {
    const numbers = precision === 'f32' ? Float32Array : Float64Array;
    const whole = { name: 'w', data: numbers.from(values), grad: numbers.from(gradients) };
    return new ReferenceOptimizer({ rule: adam(), precision, params: [whole] });
  };
  const [single, double] = [reference('f32'), reference('f64')];
  const bare = callsOf(optimizer);
  let turn = 0;
  const steps: Record<CallRequest['call'], () => unknown> = {
    // Never submitted: a step's computing is not what is measured here.
    encode: () => optimizer.encode(device.createCommandEncoder({ label: 'bench dropped' })),
    bare: () => encodeBare(device, bare),
    // Kernels are there from before.
    create: () => Optimizer.createSync(device, { rule: adam(), params }).destroy(),
    'rebind one': () => optimizer.rebind(some[(turn ^= 1)]!),
    'rebind all': () => optimizer.rebind(sets[(turn ^= 1)]!),
    'state dict': () => optimizer.stateDict(),
    'reference f32': () => single.step(),
    'reference f64': () => double.step(),
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
