import { OptimizerError, quote } from '../errors.js';
import { compile } from '../kernel/compilable.js';
import { type Kernel, planKernel } from '../kernel/step-kernel.js';
import { captureErrors } from './device.js';
import type { GroupBindings } from './group-bindings.js';
import { joinBatch } from './plan/batches.js';
import type { PreparedGroup } from './prepare-group.js';

/** A kernel and what it binds. */
interface Dispatch {
  readonly kernel: Kernel;
  readonly buffers: GPUBindGroup;
}

/**
 * Submits a group's dispatches once, while the segments are still zeros and so cover nothing: whatever the device has
 * against the caller's buffers (foreign, destroyed, mapped) shows now.
 *
 * @param make makes the dispatches.
 * @param scalars the bind group of group 1.
 * @throws OptimizerError `invalid-parameter`, naming the parameter if one alone is rejected.
 */
export async function probe(
  device: GPUDevice,
  prepared: PreparedGroup,
  bindings: GroupBindings,
  make: () => readonly Dispatch[],
  scalars: GPUBindGroup,
  label: string,
): Promise<void> {
  const all = await captureErrors(device, () => submit(device, make(), scalars, label));
  if (!all.error) return;
  const { group, plan, features, shapes } = prepared;
  for (const dispatch of plan.dispatches) {
    const alone = joinBatch([dispatch]);
    // In a batch it cannot be told which one it is.
    const kernel = await compile(device, planKernel(group.rule, alone.access, shapes[0]!, features));
    const { error } = await captureErrors(device, () =>
      submit(device, [{ kernel, buffers: bindings.createAlone(alone, kernel) }], scalars, label),
    );
    if (!error) continue;
    const parameter = group.parameters[dispatch.parameterIndex]!.name;
    throw new OptimizerError(
      'invalid-parameter',
      `parameter ${quote(parameter)}: the device rejects its buffers: ${error.message.trim()} ` +
        'Give buffers of the device that Optimizer.create was given, not destroyed and not mapped.',
    );
  }
  throw new OptimizerError(
    'invalid-parameter',
    `the device rejects the buffers: ${all.error.message.trim()}`,
  );
}

function submit(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  scalars: GPUBindGroup,
  label: string,
): void {
  const encoder = device.createCommandEncoder({ label: `${label} probe` });
  const pass = encoder.beginComputePass({ label: `${label} probe` });
  for (const { kernel, buffers } of dispatches) {
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(1, scalars, [0]);
    pass.setBindGroup(0, buffers);
    pass.dispatchWorkgroups(1);
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}
