import { alignUp } from '../kernel/alignment.js';
import {
  MEASURE_SHAPE,
  PORTION_BYTE_LENGTH,
  PORTION_FIELDS,
  composeMeasure,
  composeSummarize,
  measuredSlots,
} from '../kernel/compose-tensor.js';
import type { Compilable } from '../kernel/compilable.js';
import type { Pipeline, PipelineSource } from '../kernel/pipeline-cache.js';
import { chooseGrid } from '../kernel/shape.js';
import { scalarsLayout, shapeConstants } from '../kernel/step-kernel.js';
import { recordByteLength, recordFields } from '../kernel/tensor-record.js';
import { type StepFeatures, ruleSwitches } from '../kernel/variant.js';
import { type Rule, tensorOf } from '../rules/rule.js';
import { BindGroupCache } from './bind-group-cache.js';
import type { Span } from './span.js';
import { type MeasurePlan, type PlannedMeasure, planMeasure } from './plan/measure.js';
import type { Plan, PlannedChunk } from './plan/planned.js';

/** Bytes of the WGSL `partials` per partial. */
const PARTIAL_BYTE_LENGTH = 16;
const SPAN_BYTE_LENGTH = 8;

/** The plan and pipelines of a rule that measures tensors; made before any buffer is. */
export interface PreparedTensorPass {
  readonly rule: Rule;
  readonly plan: MeasurePlan<GPUBuffer>;
  /** Per dispatch of the plan. */
  readonly measurers: readonly Pipeline[];
  readonly summarizer: Pipeline;
}

/** Plans the measuring of a group's tensors, and its kernels; undefined for rules without it. */
export function prepareTensorPass(
  device: GPUDevice,
  rule: Rule,
  { chunks }: Plan<GPUBuffer>,
  tensorCount: number,
  features: StepFeatures,
): Compilable<PreparedTensorPass | undefined> {
  const tensor = tensorOf(rule);
  if (!tensor) return { sources: [], finish: () => undefined };
  const plan = planChunks(device, chunks, tensorCount);
  const switches = Object.entries(ruleSwitches(rule)).map(([name, on]) => [name, Number(on)] as const);
  const constants = {
    ...shapeConstants(MEASURE_SHAPE),
    CLAMP_GRADIENT: Number(features.clamped),
    ...Object.fromEntries(switches),
  };
  const group1 = scalarsLayout(rule, features);
  const readOnly = (minBindingSize: number): GPUBufferBindingLayout => ({
    type: 'read-only-storage',
    minBindingSize,
  });
  const written = (minBindingSize: number): GPUBufferBindingLayout => ({ type: 'storage', minBindingSize });
  const measurers = plan.dispatches.map(({ access }): PipelineSource => {
    const [dataSize, gradSize] = [access.data, access.grad].map((mode) => (mode === 'vector' ? 16 : 4));
    return {
      label: `webgpu-optim ${rule.name} measure`,
      code: composeMeasure(rule, access, features),
      entryPoint: 'measure_tensor',
      constants,
      bindGroups: [
        [
          written(PARTIAL_BYTE_LENGTH * tensor.quantityCount),
          { type: 'uniform', minBindingSize: PORTION_BYTE_LENGTH },
          readOnly(dataSize!),
          readOnly(gradSize!),
          ...measuredSlots(rule).map(() => readOnly(dataSize!)),
        ],
        group1,
      ],
    };
  });
  const summarizer: PipelineSource = {
    label: `webgpu-optim ${rule.name} summarize`,
    code: composeSummarize(rule, recordStride(device, rule) / 4, features),
    entryPoint: 'summarize_tensors',
    constants,
    bindGroups: [
      [
        readOnly(SPAN_BYTE_LENGTH),
        readOnly(PARTIAL_BYTE_LENGTH * tensor.quantityCount),
        written(4 * recordFields(rule).length),
      ],
      group1,
    ],
  };
  return {
    sources: [summarizer, ...measurers],
    finish: ([summarize, ...measure]) => ({ rule, plan, measurers: measure, summarizer: summarize! }),
  };
}

/** What a group with such a rule does before its step kernels: it finds out what they need of each tensor as a whole. */
export class TensorPass {
  readonly #partials: GPUBuffer;
  readonly #portions: GPUBuffer;
  readonly #spans: GPUBuffer;
  readonly #records: GPUBuffer;
  readonly #recordStride: number;
  readonly #portionStride: number;
  readonly #grid: readonly [number, number];
  readonly #bindGroups = new BindGroupCache();
  #measureGroups: readonly GPUBindGroup[] = [];
  #summarizeGroup: GPUBindGroup | undefined;

  /** Creates the buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedTensorPass,
    private readonly label: string,
  ) {
    const { rule, plan } = prepared;
    const { limits } = device;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const create = (what: string, size: number, usage: number) =>
      device.createBuffer({ label: `${label} ${what}`, size, usage });
    this.#recordStride = recordStride(device, rule);
    this.#portionStride = alignUp(PORTION_BYTE_LENGTH, limits.minUniformBufferOffsetAlignment);
    const { quantityCount } = rule.declaration.tensor!;
    this.#partials = create('partials', PARTIAL_BYTE_LENGTH * quantityCount * plan.partialCount, STORAGE);
    this.#portions = create('portions', this.#portionStride * plan.dispatches.length, UNIFORM | COPY_DST);
    this.#spans = create('spans', SPAN_BYTE_LENGTH * plan.spans.length, STORAGE | COPY_DST);
    const usage = STORAGE | UNIFORM | COPY_SRC | COPY_DST;
    this.#records = create('records', this.#recordStride * plan.spans.length, usage);
    this.#grid = chooseGrid(
      plan.spans.length,
      { ...MEASURE_SHAPE, workgroupSize: 1, lanesPerInvocation: 1 },
      limits.maxComputeWorkgroupsPerDimension,
    );
    const words = new Uint32Array((this.#portionStride / 4) * plan.dispatches.length);
    plan.dispatches.forEach(({ portion }, k) =>
      words.set(
        PORTION_FIELDS.map((field) => portion[field]),
        (this.#portionStride / 4) * k,
      ),
    );
    device.queue.writeBuffer(this.#portions, 0, words);
    device.queue.writeBuffer(this.#spans, 0, Uint32Array.from(plan.spans.flat()));
  }

  /** A tensor's record, for its step kernels; by the index of its parameter in the group. */
  recordBinding(parameterIndex: number): GPUBufferBinding {
    const offset = this.#recordStride * parameterIndex;
    return { buffer: this.#records, offset, size: recordByteLength(this.prepared.rule) };
  }

  /** Where a `perTensor` slot of a parameter lies. */
  slotSpan(slot: string, parameterIndex: number): Span {
    const field = recordFields(this.prepared.rule).indexOf(slot);
    const byteOffset = this.#recordStride * parameterIndex + 4 * field;
    return { buffer: this.#records, byteOffset, byteLength: 4 };
  }

  /**
   * Makes the bind groups over the tensors' chunks, or takes those that were there before; run it in error scopes.
   *
   * @param chunks those that the pass was planned for, or, in other buffers, such that the step kernels' dispatches have
   *   the same structure; then that of the measuring is the same, too.
   * @param stateBuffer the buffers of the state slots.
   * @returns what makes the change, and cannot fail.
   */
  prepareBinding(
    chunks: readonly PlannedChunk<GPUBuffer>[],
    stateBuffer: (slot: string, bufferIndex: number) => GPUBuffer,
  ): () => void {
    const { plan, measurers, summarizer } = this.prepared;
    const { dispatches } = planChunks(this.device, chunks, plan.spans.length);
    const measureGroups = dispatches.map((dispatch, k) =>
      this.#bindGroups.get([dispatch.data, dispatch.grad], String(k), () =>
        this.#createGroup(`measure ${k}`, measurers[k]!, this.#measureResources(dispatch, k, stateBuffer)),
      ),
    );
    const buffers = [this.#spans, this.#partials, this.#records];
    const summarizeGroup = this.#bindGroups.get([], 'summarize', () =>
      this.#createGroup(
        'summarize',
        summarizer,
        buffers.map((buffer) => ({ buffer })),
      ),
    );
    return () => {
      this.#measureGroups = measureGroups;
      this.#summarizeGroup = summarizeGroup;
    };
  }

  /** Encodes the measuring of all tensors into a pass, before their step kernels. */
  encode(pass: GPUComputePassEncoder, scalars: GPUBindGroup, scalarsOffset: Uint32Array): void {
    const { plan, measurers, summarizer } = this.prepared;
    let current: Pipeline | undefined;
    // By index, as GroupExecutor does.
    for (let k = 0; k < plan.dispatches.length; k++) {
      const { grid } = plan.dispatches[k]!;
      const measurer = measurers[k]!;
      if (measurer !== current) {
        pass.setPipeline(measurer.pipeline);
        pass.setBindGroup(1, scalars, scalarsOffset, 0, 1);
        current = measurer;
      }
      pass.setBindGroup(0, this.#measureGroups[k]);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
    pass.setPipeline(summarizer.pipeline);
    pass.setBindGroup(0, this.#summarizeGroup);
    pass.setBindGroup(1, scalars, scalarsOffset, 0, 1);
    pass.dispatchWorkgroups(this.#grid[0], this.#grid[1]);
  }

  destroy(): void {
    for (const buffer of [this.#partials, this.#portions, this.#spans, this.#records]) buffer.destroy();
  }

  #measureResources(
    { data, grad, state }: PlannedMeasure<GPUBuffer>,
    k: number,
    stateBuffer: (slot: string, bufferIndex: number) => GPUBuffer,
  ): GPUBufferBinding[] {
    const { bufferIndex, ...stateRange } = state;
    return [
      { buffer: this.#partials },
      { buffer: this.#portions, offset: this.#portionStride * k, size: PORTION_BYTE_LENGTH },
      { ...data },
      { ...grad },
      ...measuredSlots(this.prepared.rule).map((slot) => ({
        buffer: stateBuffer(slot, bufferIndex),
        ...stateRange,
      })),
    ];
  }

  #createGroup(what: string, { layouts }: Pipeline, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    return this.device.createBindGroup({
      label: `${this.label} ${what}`,
      layout: layouts[0]!,
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }
}

function planChunks(
  { limits }: GPUDevice,
  chunks: readonly PlannedChunk<GPUBuffer>[],
  tensorCount: number,
): MeasurePlan<GPUBuffer> {
  return planMeasure(chunks, tensorCount, limits, limits.maxComputeWorkgroupsPerDimension);
}

function recordStride(device: GPUDevice, rule: Rule): number {
  return alignUp(recordByteLength(rule), device.limits.minUniformBufferOffsetAlignment);
}
