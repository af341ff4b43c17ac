import { OptimizerError } from '../errors.js';
import { type Compilable, compilableList } from '../kernel/compilable.js';
import { countStorageBindings } from '../kernel/compose-access.js';
import { type KernelShape, chooseShape } from '../kernel/shape.js';
import { type Kernel, planKernel } from '../kernel/step-kernel.js';
import { type StepFeatures, elementSlots } from '../kernel/variant.js';
import { tensorOf } from '../rules/rule.js';
import { paddingOf } from './arena-buffers.js';
import type { ResolvedGroup } from './config.js';
import type { ResolvedParameter } from './parameter.js';
import { type Batch, batchCapacity, joinBatch, mostLanes, planBatches } from './plan/batches.js';
import { planDispatches } from './plan/plan.js';
import type { Plan } from './plan/planned.js';
import type { Tensor } from './plan/runs.js';
import { type PreparedTensorPass, prepareTensorPass } from './tensor-pass.js';

/** What a group's step is made of, before any buffer is. */
export interface PreparedGroup {
  readonly group: ResolvedGroup;
  readonly features: StepFeatures;
  readonly plan: Plan<GPUBuffer>;
  /** Which of the plan's dispatches are made as one, and what these are then. */
  readonly composition: readonly (readonly number[])[];
  readonly batches: readonly Batch<GPUBuffer>[];
  /** Per batch. */
  readonly kernels: readonly Kernel[];
  readonly shapes: readonly KernelShape[];
  /** What comes before the step kernels, for rules that measure tensors. */
  readonly tensorPass: PreparedTensorPass | undefined;
}

/**
 * Plans a group for a device, and its kernels; touches no buffer.
 *
 * @param shape what of the kernels' shape is not to be chosen.
 * @throws OptimizerError `limit-exceeded` if the rule needs more storage bindings than the device has.
 */
export function prepareGroup(
  device: GPUDevice,
  group: ResolvedGroup,
  features: StepFeatures,
  shape: Partial<KernelShape> = {},
): Compilable<PreparedGroup> {
  const slots = elementSlots(group.rule);
  const hasRows = group.parameters.some(({ namedRows }) => namedRows !== undefined);
  const { perTensor, shared } = countStorageBindings(group.rule, {
    gradBinding: 'read',
    ...(hasRows && { rowLanes: 1 }),
  });
  const bindingCount = perTensor + shared + Number(features.controlled);
  const limit = device.limits.maxStorageBuffersPerShaderStage;
  if (bindingCount > limit) {
    throw new OptimizerError(
      'limit-exceeded',
      `${group.rule.name} with ${slots.length} state slots needs ${bindingCount} storage buffers per shader stage but ` +
        `the device allows ${limit}; request the device with requiredLimits.maxStorageBuffersPerShaderStage.`,
    );
  }
  const plan = planGroup(device, group);
  const composition = planBatches(plan.dispatches, device.limits, (dispatch) =>
    batchCapacity(group.rule, dispatch, limit - Number(features.controlled)),
  );
  const batches = composition.map((parts) => joinBatch(parts.map((k) => plan.dispatches[k]!)));
  const shapes = batches.map((batch) => ({
    // Rows whose length is no multiple of 4 have narrow lanes, but as many as a body.
    ...chooseShape(
      device.adapterInfo,
      batch.access.rowLanes === undefined ? batch.access.laneWidth : 4,
      mostLanes(batch),
    ),
    ...shape,
  }));
  const tensorPass = prepareTensorPass(device, group.rule, plan, group.parameters.length, features);
  const kernels = compilableList(
    batches.map(({ access }, k) => planKernel(group.rule, access, shapes[k]!, features)),
  );
  const kernelCount = kernels.sources.length;
  return {
    sources: [...kernels.sources, ...tensorPass.sources],
    finish: (pipelines) => ({
      group,
      features,
      plan,
      composition,
      batches,
      kernels: kernels.finish(pipelines.slice(0, kernelCount)),
      shapes,
      tensorPass: tensorPass.finish(pipelines.slice(kernelCount)),
    }),
  };
}

/** The dispatch plan of a group, over the buffers that it has. */
export function planGroup(device: GPUDevice, { rule, parameters }: ResolvedGroup): Plan<GPUBuffer> {
  const hasState = elementSlots(rule).length > 0;
  // What is measured of a tensor is not its neighbours'.
  const joins = tensorOf(rule) === undefined;
  return planDispatches(parameters.map(toTensor), device.limits, hasState, paddingOf, joins);
}

/** What planning needs of a parameter. */
function toTensor({ data, grad, sparse, namedRows }: ResolvedParameter): Tensor<GPUBuffer> {
  return {
    data,
    grad,
    ...(sparse && namedRows && { named: { buffer: namedRows, rowLength: sparse.rowLength } }),
  };
}
