import { OptimizerError, quote } from '../errors.js';
import { alignUp } from '../kernel/alignment.js';
import { SEGMENT_BYTE_LENGTH, segmentWords } from '../kernel/segment.js';
import { type Compilable, compilableList, compile } from '../kernel/compilable.js';
import { type BindingDeclaration, countStorageBindings, declareBindings } from '../kernel/compose-access.js';
import { type Kernel, planKernel } from '../kernel/step-kernel.js';
import { type KernelShape, chooseGrid, chooseShape } from '../kernel/shape.js';
import { type StepFeatures, elementSlots } from '../kernel/variant.js';
import { tensorOf } from '../rules/rule.js';
import { paddingOf } from './arena-buffers.js';
import { type Batch, batchCapacity, joinBatch, planBatches } from './plan/batches.js';
import { BindGroupCache } from './bind-group-cache.js';
import type { ResolvedGroup } from './config.js';
import { captureErrors } from './device.js';
import type { ResolvedParameter } from './parameter.js';
import { PartialSegments } from './partial-segments.js';
import { planDispatches } from './plan/plan.js';
import type { Plan } from './plan/planned.js';
import { rejectOtherStructure, rejectUnshareable } from './rebind.js';
import type { Tensor } from './plan/runs.js';
import { StateStore } from './state-store.js';
import { type PreparedTensorPass, TensorPass, prepareTensorPass } from './tensor-pass.js';

/** Combinations of buffers that are kept on average for `rebind`; frameworks hand out the same few again and again. */
const BIND_GROUPS_PER_DISPATCH = 64;

/** A dispatch ready to be encoded. */
interface Command {
  readonly kernel: Kernel;
  readonly batch: Batch<GPUBuffer>;
  readonly buffers: GPUBindGroup;
  readonly grid: readonly [number, number];
  /** Whose elements each part covers; of neighbours, the first. */
  readonly parameterNames: readonly string[];
}

/** The GPU side of one group: its kernels, state, bind groups, and how to encode a step of it. */
export class GroupExecutor {
  readonly state: StateStore;
  readonly #segments: GPUBuffer;
  readonly #segmentStride: number;
  readonly #tensorPass: TensorPass | undefined;
  readonly #bindGroups: BindGroupCache;
  readonly #partialSegments: PartialSegments;
  #commands: readonly Command[] = [];

  /** Creates state and segment buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedGroup,
    private readonly label: string,
  ) {
    const { group, plan, batches } = prepared;
    this.#bindGroups = new BindGroupCache(BIND_GROUPS_PER_DISPATCH * batches.length);
    this.#partialSegments = new PartialSegments(device, label);
    this.#segmentStride = segmentStride(device, batches);
    this.#segments = device.createBuffer({
      label: `${label} segments`,
      size: this.#segmentStride * batches.length,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    if (prepared.tensorPass) this.#tensorPass = new TensorPass(device, prepared.tensorPass, label);
    this.state = new StateStore(device, group.rule, plan, label, this.#tensorPass);
  }

  /** Layout of the scalars' bind group. */
  get scalarsLayout(): GPUBindGroupLayout {
    return this.prepared.kernels[0]!.scalarsLayout;
  }

  /**
   * Makes the bind groups and submits them once, while the segments are still zeros and so cover nothing: whatever
   * the device has against the caller's buffers (foreign, destroyed, mapped) shows now.
   *
   * @param scalars the bind group of group 1.
   * @throws OptimizerError `invalid-parameter` naming the parameter.
   */
  async bind(scalars: GPUBindGroup): Promise<void> {
    const all = await captureErrors(this.device, () => {
      this.#makeBindGroups();
      this.#probe(this.#commands, scalars);
    });
    if (!all.error) {
      this.#writeSegments();
      return;
    }
    await this.#rejectOne(scalars);
    throw new OptimizerError(
      'invalid-parameter',
      `the device rejects the buffers: ${all.error.message.trim()}`,
    );
  }

  /** As {@link bind}, at once and without trying the buffers; run it in error scopes. */
  bindSync(): void {
    this.#makeBindGroups();
    this.#writeSegments();
  }

  #makeBindGroups(): void {
    this.#commands = this.prepared.batches.map((batch, k) => this.#createCommand(batch, k));
    this.#prepareMeasuring(this.prepared.plan)?.();
  }

  /**
   * Prepares the same group over other buffers: same kernels, same state. Bind groups that were there before are
   * taken again.
   *
   * @returns what makes the change, and cannot fail.
   * @throws OptimizerError `invalid-parameter` if the tensors lie so differently that other kernels would be needed.
   */
  prepareRebind(group: ResolvedGroup): () => void {
    const { plan, composition } = this.prepared;
    const next = planGroup(this.device, group);
    rejectOtherStructure(group, plan.dispatches, next.dispatches);
    const batches = composition.map((parts) => parts.map((k) => next.dispatches[k]!));
    for (const parts of batches) rejectUnshareable(group, parts);
    const commands = batches.map((parts, k) => this.#createCommand(joinBatch(parts), k));
    const measureElsewhere = this.#prepareMeasuring(next);
    return () => {
      this.#commands = commands;
      measureElsewhere?.();
    };
  }

  /**
   * Encodes one step of the group into a pass.
   *
   * @param skipped names of parameters to be left as they are.
   */
  encode(
    pass: GPUComputePassEncoder,
    scalars: GPUBindGroup,
    scalarsOffset: Uint32Array,
    skipped?: ReadonlySet<string>,
  ): void {
    this.#tensorPass?.encode(pass, scalars, scalarsOffset);
    let current: Kernel | undefined;
    for (const [k, command] of this.#commands.entries()) {
      const { kernel, grid } = command;
      const buffers = skipped ? this.#buffersWithout(command, k, skipped) : command.buffers;
      if (!buffers) continue;
      if (kernel !== current) {
        pass.setPipeline(kernel.pipeline);
        pass.setBindGroup(1, scalars, scalarsOffset, 0, 1);
        current = kernel;
      }
      pass.setBindGroup(0, buffers);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
  }

  /** What a dispatch binds that leaves some parameters as they are; nothing if these are all that it covers. */
  #buffersWithout(
    { kernel, batch, buffers, parameterNames }: Command,
    k: number,
    skipped: ReadonlySet<string>,
  ): GPUBindGroup | undefined {
    const isLeftOut = parameterNames.map((name) => skipped.has(name));
    if (!isLeftOut.includes(true)) return buffers;
    if (!isLeftOut.includes(false)) return undefined;
    const key = `${k} but ${isLeftOut.flatMap((leftOut, part) => (leftOut ? [part] : [])).join(' ')}`;
    const segments = this.#partialSegments.get(key, batch, isLeftOut);
    return this.#bindGroups.get(rangesOf(batch), key, () =>
      this.#createBindGroup(batch, k, kernel, segments),
    );
  }

  destroy(): void {
    this.state.destroy();
    this.#partialSegments.destroy();
    this.#tensorPass?.destroy();
    this.#segments.destroy();
  }

  #prepareMeasuring({ chunks }: Plan<GPUBuffer>): (() => void) | undefined {
    return this.#tensorPass?.prepareBinding(chunks, (slot, bufferIndex) =>
      this.state.buffer(slot, bufferIndex),
    );
  }

  #createCommand(batch: Batch<GPUBuffer>, k: number): Command {
    const kernel = this.prepared.kernels[k]!;
    const buffers = this.#bindGroups.get(rangesOf(batch), String(k), () =>
      this.#createBindGroup(batch, k, kernel),
    );
    const { maxComputeWorkgroupsPerDimension } = this.device.limits;
    const grid = chooseGrid(mostLanes(batch), this.prepared.shapes[k]!, maxComputeWorkgroupsPerDimension);
    const { parameters } = this.prepared.group;
    const parameterNames = batch.parts.map(({ parameterIndex }) => parameters[parameterIndex]!.name);
    return { kernel, batch, buffers, grid, parameterNames };
  }

  #createBindGroup(
    { parts, access, state }: Batch<GPUBuffer>,
    k: number,
    kernel: Kernel,
    segments: GPUBufferBinding = {
      buffer: this.#segments,
      offset: this.#segmentStride * k,
      size: SEGMENT_BYTE_LENGTH * parts.length,
    },
  ): GPUBindGroup {
    const resource = ({ role, tensor }: BindingDeclaration): GPUBufferBinding => {
      const part = parts[tensor]!;
      if (role === 'segment') return segments;
      if (role === 'data') return { ...part.data };
      if (role === 'grad') return { ...part.grad! };
      if (role === 'rows') return { ...part.rows! };
      if (role === 'tensor') return this.#tensorPass!.recordBinding(part.parameterIndex);
      const { bufferIndex, offset, size } = state;
      return { buffer: this.state.buffer(role.slice('state:'.length), bufferIndex), offset, size };
    };
    return this.device.createBindGroup({
      label: `${this.label} buffers ${k}`,
      layout: kernel.buffersLayout,
      entries: declareBindings(this.prepared.group.rule, access).map((declared, binding) => ({
        binding,
        resource: resource(declared),
      })),
    });
  }

  /** @throws OptimizerError `invalid-parameter` naming a parameter whose buffers the device rejects, if one alone does it. */
  async #rejectOne(scalars: GPUBindGroup): Promise<void> {
    const { group, plan, features, shapes } = this.prepared;
    for (const dispatch of plan.dispatches) {
      const alone = joinBatch([dispatch]);
      // In a batch it cannot be told which one it is.
      const kernel = await compile(this.device, planKernel(group.rule, alone.access, shapes[0]!, features));
      const { error } = await captureErrors(this.device, () =>
        this.#probe([{ kernel, buffers: this.#createBindGroup(alone, 0, kernel) }], scalars),
      );
      if (!error) continue;
      const parameter = group.parameters[dispatch.parameterIndex]!.name;
      throw new OptimizerError(
        'invalid-parameter',
        `parameter ${quote(parameter)}: the device rejects its buffers: ${error.message.trim()} ` +
          'Give buffers of the device that Optimizer.create was given, not destroyed and not mapped.',
      );
    }
  }

  #probe(commands: readonly Pick<Command, 'kernel' | 'buffers'>[], scalars: GPUBindGroup): void {
    const encoder = this.device.createCommandEncoder({ label: `${this.label} probe` });
    const pass = encoder.beginComputePass({ label: `${this.label} probe` });
    for (const { kernel, buffers } of commands) {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(1, scalars, [0]);
      pass.setBindGroup(0, buffers);
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  #writeSegments(): void {
    const { batches } = this.prepared;
    const words = new Uint32Array((this.#segmentStride / 4) * batches.length);
    batches.forEach(({ parts }, k) =>
      parts.forEach(({ segment }, part) =>
        words.set(segmentWords(segment), (this.#segmentStride * k + SEGMENT_BYTE_LENGTH * part) / 4),
      ),
    );
    this.device.queue.writeBuffer(this.#segments, 0, words);
  }
}

/** What planning needs of a parameter. */
function toTensor({ data, grad, sparse, namedRows }: ResolvedParameter): Tensor<GPUBuffer> {
  return {
    data,
    grad,
    ...(sparse && namedRows && { named: { buffer: namedRows, rowLength: sparse.rowLength } }),
  };
}

function segmentStride({ limits }: GPUDevice, batches: readonly Batch<GPUBuffer>[]): number {
  const alignment = limits.minUniformBufferOffsetAlignment;
  const most = batches.reduce((largest, { parts }) => Math.max(largest, parts.length), 1);
  return alignUp(SEGMENT_BYTE_LENGTH * most, alignment);
}

/** All that a batch's bind group holds of the caller's. */
const rangesOf = ({ parts }: Batch<GPUBuffer>): GPUBufferBinding[] =>
  parts.flatMap(({ data, grad }) => (grad ? [data, grad] : [data]));

function mostLanes({ parts }: Batch<GPUBuffer>): number {
  return Math.max(...parts.map(({ segment }) => segment.laneCount));
}

function planGroup(device: GPUDevice, { rule, parameters }: ResolvedGroup): Plan<GPUBuffer> {
  const hasState = elementSlots(rule).length > 0;
  // What is measured of a tensor is not its neighbours'.
  const joins = tensorOf(rule) === undefined;
  return planDispatches(parameters.map(toTensor), device.limits, hasState, paddingOf, joins);
}

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
