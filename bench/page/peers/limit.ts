import type { KernelShape } from '../../../src/kernel/shape.js';
import { elementSlots } from '../../../src/kernel/variant.js';
import { totalElements } from '../../cases.js';
import { type LimitKernel, createLimitKernel } from '../limit-kernel.js';
import { readBack } from '../read-back.js';
import { createArray } from '../workload.js';
import type { Contestant, PeerContext } from './peer.js';

/** Shapes that came out near the best on some adapter or size in `bench/shapes.ts`. */
const CANDIDATES: readonly KernelShape[] = [
  { workgroupSize: 32, lanesPerInvocation: 8, consecutive: true },
  { workgroupSize: 32, lanesPerInvocation: 256, consecutive: true },
  { workgroupSize: 64, lanesPerInvocation: 16, consecutive: true },
  { workgroupSize: 64, lanesPerInvocation: 128, consecutive: true },
  { workgroupSize: 64, lanesPerInvocation: 256, consecutive: true },
  { workgroupSize: 128, lanesPerInvocation: 16, consecutive: true },
  { workgroupSize: 128, lanesPerInvocation: 128, consecutive: true },
  { workgroupSize: 128, lanesPerInvocation: 256, consecutive: true },
  { workgroupSize: 256, lanesPerInvocation: 4, consecutive: false },
  { workgroupSize: 256, lanesPerInvocation: 1, consecutive: false },
  { workgroupSize: 64, lanesPerInvocation: 1, consecutive: false },
];
const TUNING_ROUNDS = 3;
/** Steps per tuning measurement are chosen so that it lasts about this long. */
const TUNING_MS = 20;

/** The limit contestant, with the shape that it was found fastest in. */
export interface LimitContestant extends Contestant {
  readonly shape: KernelShape;
}

/** The memory-traffic limit: all tensors as one, in the best of the candidate shapes on this adapter, now. */
export async function limit(context: PeerContext): Promise<LimitContestant> {
  const { device, rule, benchCase, workload } = context;
  const elementCount = totalElements(benchCase);
  const values = workload.randomArray(Math.min(elementCount, 1 << 20));
  const arrays = ['grad', 'data', ...elementSlots(rule)].map((name) =>
    createArray(device, `limit ${name}`, elementCount, values),
  );
  const kernels = await Promise.all(
    CANDIDATES.map((shape) => createLimitKernel(device, arrays, elementCount, shape)),
  );
  const best = await findFastest(device, kernels);
  return {
    shape: CANDIDATES[best]!,
    step: () => submit(device, kernels[best]!),
    finish: () => device.queue.onSubmittedWorkDone(),
    // Values move round by one array a step, and gain a gradient once a round.
    stepsToChange: arrays.length - 1,
    weights: () => readBack(device, arrays[1]!, elementCount),
    destroy: () => {
      for (const buffer of arrays) buffer.destroy();
    },
  };
}

async function findFastest(device: GPUDevice, kernels: readonly LimitKernel[]): Promise<number> {
  const measure = async (kernel: LimitKernel, steps: number): Promise<number> => {
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) submit(device, kernel);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / steps;
  };
  const minima = kernels.map(() => Infinity);
  for (let round = 0; round <= TUNING_ROUNDS; round += 1) {
    for (const [k, kernel] of kernels.entries()) {
      // The first round only warms up and tells how long a step takes.
      const steps = round === 0 ? 1 : Math.ceil(TUNING_MS / minima[k]!);
      const stepMs = await measure(kernel, steps);
      minima[k] = round <= 1 ? stepMs : Math.min(minima[k]!, stepMs);
    }
  }
  return minima.indexOf(Math.min(...minima));
}

function submit(device: GPUDevice, kernel: LimitKernel): void {
  const encoder = device.createCommandEncoder({ label: 'bench limit' });
  const pass = encoder.beginComputePass({ label: 'bench limit' });
  kernel.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}
