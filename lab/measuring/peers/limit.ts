import type { KernelShape } from '../../../src/kernel/shape.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { float64 } from '../../../src/reference/arithmetic/arithmetic.js';
import { makeElementRule } from '../../../src/reference/tensor/element-step.js';
import type { Rule } from '../../../src/index.js';
import { totalElements } from '../cases.js';
import { type LimitKernel, createLimitKernel } from '../page/limit-kernel.js';
import { readSample } from '../page/read-back.js';
import { findFastest } from '../page/tune.js';
import { createArrays } from '../page/workload.js';
import type { Peer } from './peer.js';

/** Shapes that came out near the best on some adapter or size in the benchmark's suite `shapes`. */
const CANDIDATES: readonly KernelShape[] = [
  { workgroupSize: 8, lanesPerInvocation: 64, consecutive: true },
  { workgroupSize: 8, lanesPerInvocation: 1024, consecutive: true },
  { workgroupSize: 8, lanesPerInvocation: 2048, consecutive: true },
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

/**
 * Of a rule that measures tensors before it steps them, what it reads for that, by its place among gradient, weights and state; of others,
 * nothing. Whether weights count is seen by measuring some.
 */
export function measuredArrays(rule: Rule): number[] {
  const { elementSlots, measuredSlots } = layoutOf(rule);
  const { prepare, tensor } = makeElementRule(float64, rule);
  if (!tensor) return [];
  const step = { h: prepare(layoutOf(rule).values(0.1, 1), 1), t: 1 };
  const measure = (w: number): string =>
    String(tensor.measure(w, 0.5, Object.fromEntries(elementSlots.map((slot) => [slot, 0.25])), step));
  return [
    0,
    ...(measure(1) === measure(2) ? [] : [1]),
    ...measuredSlots.map((slot) => 2 + elementSlots.indexOf(slot)),
  ];
}

/**
 * The memory-traffic limit: all tensors as one, read once before where the rule measures them, in the best of the candidate shapes on this adapter, now. A lone
 * tensor's weights and gradients are the workload's, so that large cases fit into memory.
 */
export const limit: Peer = async ({ device, rule, benchCase, workload }) => {
  const elementCount = totalElements(benchCase);
  const values = workload.randomArray(Math.min(elementCount, 1 << 20));
  const create = (name: string) => createArrays(device, `limit ${name}`, elementCount, values);
  const states = layoutOf(rule).elementSlots.map(create);
  const isLone = benchCase.tensorCount === 1;
  const [grad, data] = isLone ? [workload.grad, workload.data] : [create('grad'), create('data')];
  const arrays = [grad, data, ...states];
  const measured = measuredArrays(rule);
  const parts = data.map((_, part) => ({
    arrays: arrays.map((buffers) => buffers[part]!),
    read: measured.map((k) => arrays[k]![part]!),
  }));
  const kernels = await Promise.all(CANDIDATES.map((shape) => createLimitKernel(device, parts, shape)));
  const best = await findFastest(
    device,
    kernels.map((kernel) => () => submit(device, kernel)),
  );
  return {
    shape: CANDIDATES[best]!,
    step: () => submit(device, kernels[best]!),
    finish: () => device.queue.onSubmittedWorkDone(),
    // Values move round by one array a step, and gain a gradient once a round.
    stepsToChange: arrays.length - 1,
    weights: () => readSample(device, data, elementCount),
    destroy: () => {
      for (const kernel of kernels) kernel.destroy();
      for (const buffer of (isLone ? states : arrays).flat()) buffer.destroy();
    },
  };
};

function submit(device: GPUDevice, kernel: LimitKernel): void {
  const encoder = device.createCommandEncoder({ label: 'bench limit' });
  const pass = encoder.beginComputePass({ label: 'bench limit' });
  kernel.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}
