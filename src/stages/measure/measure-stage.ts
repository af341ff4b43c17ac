import { bytesOf } from '../../codecs/codec.js';
import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import type { BindGroups } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type Pipeline, type PipelineSource, type Planned, getPipelineSync } from '../../gpu/pipelines.js';
import { alignUp } from '../../kernel/alignment.js';
import { WORKGROUPS_ALONE } from '../../kernel/measure-shape.js';
import { type KernelShape, chooseGrid, isCpuAdapter } from '../../kernel/shape.js';
import { wordView } from '../../kernel/structs.js';
import {
  type MeasureAccess,
  type MeasuredTensor,
  type PlannedMeasure,
  measuresAlike,
  planMeasure,
} from '../../plan/measure.js';
import { otherKernels } from '../../plan/move.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { type StretchFacts, withLayout } from '../../plan/stretch.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import { oncePerKind } from '../once-per-kind.js';
import type { Stage, StepContext } from '../stage.js';
import {
  type MeasureVariant,
  PARTIAL_BYTE_LENGTH,
  PORTION,
  SPAN,
  measureSource,
  summarizeSource,
} from './compose-measure.js';
import type { TensorRecords } from './tensor-records.js';

const ALONE_SHAPE: KernelShape = {
  workgroupSize: WORKGROUPS_ALONE,
  lanesPerInvocation: 1,
  consecutive: false,
};

/** What a measuring stage measures, and how. */
export interface MeasureInput extends MeasureVariant {
  readonly device: GPUDevice;
  /** Tensors of one group; their state has a place, if the rule has slots. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly facts: StretchFacts<GPUBuffer>;
  /** A slot's slab. */
  readonly slab: (slot: string, index: number) => GPUBuffer;
  /** Those of the group; absent while no more is wanted than to know the kernels. */
  readonly records: TensorRecords | undefined;
  readonly nameOf: (tensor: number) => string;
  readonly bindGroups: BindGroups;
  readonly label: string;
}

interface Sources {
  readonly measure: readonly PipelineSource[];
  readonly isAlone: boolean;
  readonly summarize: PipelineSource;
}

/** Plans the measuring of a group's tensors, for a rule that does that. */
export function planMeasureStage(input: MeasureInput): Planned<MeasureStage> {
  const plan = planMeasure(input.tensors, withLayout(input.facts, input.layout));
  const isAlone = isCpuAdapter(adapterInfoOf(input.device));
  const sourceOf = oncePerKind((access: MeasureAccess) => measureSource(input, { access, isAlone }));
  const sources = {
    measure: plan.flatMap(({ chunks }) => chunks.map(({ access }) => sourceOf(access))),
    isAlone,
    summarize: summarizeSource(input),
  };
  return {
    sources: [...sources.measure, sources.summarize],
    make: () => new MeasureStage(input, plan, sources),
  };
}

/** A dispatch ready to be encoded. */
interface Command extends RowDispatch {
  readonly layout: GPUBindGroupLayout;
  readonly chunk: PlannedMeasure<GPUBuffer>;
}

/**
 * The part of a step that finds out what a rule needs of each tensor as a whole: it measures chunks, and makes a record of
 * each tensor's partials.
 */
export class MeasureStage implements Stage {
  readonly #commands: readonly Command[];
  /** Per tensor, its first command and how many there are. */
  readonly #commandsOf: ReadonlyMap<number, readonly [first: number, count: number]>;
  readonly #summarizer: Pipeline;
  readonly #summarizeGroup: GPUBindGroup;
  readonly #grid: readonly [number, number];
  readonly #portions: GPUBuffer;
  readonly #portionStride: number;
  readonly #partials: GPUBuffer;
  readonly #spans: GPUBuffer;
  readonly #rowsByteLength: number;
  #slots: GPUBuffer | undefined;
  #rowsGroup: GPUBindGroup | undefined;

  constructor(
    private readonly input: MeasureInput,
    plan: readonly MeasuredTensor<GPUBuffer>[],
    sources: Sources,
  ) {
    const { device, layout, row, bindGroups, label, records } = input;
    const { limits } = device;
    const { quantityCount } = layout.rule.declaration.tensor!;
    const chunks = plan.flatMap((tensor) => tensor.chunks);
    const partialCount = chunks.reduce((sum, { workgroupCount }) => sum + workgroupCount, 0);
    const create = (what: string, byteLength: number, usage: number) =>
      makeBuffer(device, `${label} ${what}`, byteLength, usage);
    this.#portionStride = alignUp(PORTION.byteLength, limits.minUniformBufferOffsetAlignment);
    this.#partials = create(
      'partials',
      PARTIAL_BYTE_LENGTH * quantityCount * partialCount,
      BufferUsage.STORAGE,
    );
    this.#portions = create(
      'portions',
      this.#portionStride * chunks.length,
      BufferUsage.UNIFORM | BufferUsage.COPY_DST,
    );
    this.#spans = create('spans', SPAN.byteLength * plan.length, BufferUsage.STORAGE | BufferUsage.COPY_DST);
    this.#commandsOf = this.#writePlan(plan);
    const pipelines = sources.measure.map((source) => getPipelineSync(device, source));
    this.#commands = chunks.map((chunk, k) => {
      const { pipeline, layouts } = pipelines[k]!;
      const bindGroup = this.#bind(layouts[0]!, chunk, k);
      const grid = sources.isAlone
        ? chooseGrid(chunk.workgroupCount, ALONE_SHAPE, limits.maxComputeWorkgroupsPerDimension)
        : chunk.grid;
      return { pipeline, layout: layouts[0]!, row: chunk.row, grid, chunk, bindGroup };
    });
    this.#summarizer = getPipelineSync(device, sources.summarize);
    this.#summarizeGroup = bindGroups.get(
      this.#summarizer.layouts[0]!,
      [this.#spans, this.#partials, records!.buffer].map((buffer) => ({ buffer })),
      `${label} summarize`,
    );
    this.#grid = chooseGrid(
      plan.length,
      { workgroupSize: 1, lanesPerInvocation: 1, consecutive: false },
      limits.maxComputeWorkgroupsPerDimension,
    );
    const rowCount = Math.max(...plan.map((tensor) => tensor.row)) + 1;
    this.#rowsByteLength = row.pageByteLength * Math.ceil(rowCount / row.rowsPerPage);
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
    pass.setPipeline(this.#summarizer.pipeline);
    pass.setBindGroup(0, this.#summarizeGroup);
    pass.setBindGroup(1, this.#rowsGroupOf(step), step.pageOffset(0), 0, 1);
    pass.dispatchWorkgroups(this.#grid[0], this.#grid[1]);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#commands, step);
    pass.setBindGroup(0, this.#summarizeGroup);
    // So that the first step makes nothing.
    this.#rowsGroupOf(step);
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const { facts, layout, nameOf } = this.input;
    const own = [...changed.values()].filter(({ index }) => this.#commandsOf.has(index));
    const groups: (readonly [Command, GPUBindGroup])[] = [];
    for (const { index, chunks } of planMeasure(own, withLayout(facts, layout))) {
      const [first, count] = this.#commandsOf.get(index)!;
      if (chunks.length !== count) throw otherKernels(nameOf(index));
      chunks.forEach((chunk, k) => {
        const command = this.#commands[first + k]!;
        if (!measuresAlike(chunk, command.chunk)) throw otherKernels(nameOf(index));
        groups.push([command, this.#bind(command.layout, chunk, first + k)]);
      });
    }
    return () => {
      for (const [command, bindGroup] of groups) command.bindGroup = bindGroup;
    };
  }

  destroy(): void {
    for (const buffer of [this.#partials, this.#portions, this.#spans]) buffer.destroy();
  }

  /** All rows of the step at group 1; made again only when the ring has grown. */
  #rowsGroupOf({ slots }: StepContext): GPUBindGroup {
    if (slots !== this.#slots || !this.#rowsGroup) {
      const { bindGroups, label } = this.input;
      const binding = { buffer: slots, offset: 0, size: this.#rowsByteLength };
      this.#rowsGroup = bindGroups.get(this.#summarizer.layouts[1]!, [binding], `${label} rows`);
      this.#slots = slots;
    }
    return this.#rowsGroup;
  }

  #bind(
    to: GPUBindGroupLayout,
    { data, grad, state, mask }: PlannedMeasure<GPUBuffer>,
    k: number,
  ): GPUBindGroup {
    const { layout, slab, bindGroups, label } = this.input;
    const portion = { buffer: this.#portions, offset: this.#portionStride * k, size: PORTION.byteLength };
    const slots = layout.measuredSlots.map((slot) => {
      const { slab: index, ...range } = state!;
      return { buffer: slab(slot, index), ...bytesOf(layout.codecOf(slot), range) };
    });
    const resources = [{ buffer: this.#partials }, portion, data, grad, ...slots, ...(mask ? [mask] : [])];
    return bindGroups.get(to, resources, `${label} measure ${k}`);
  }

  /** Writes what dispatches cover and where tensors' partials are. */
  #writePlan(plan: readonly MeasuredTensor<GPUBuffer>[]): Map<number, [first: number, count: number]> {
    const { device, row: layout, records } = this.input;
    const portions = wordView(new ArrayBuffer(this.#portions.size));
    const spans = wordView(new ArrayBuffer(this.#spans.size));
    const commandsOf = new Map<number, [number, number]>();
    let [partial, command] = [0, 0];
    plan.forEach(({ index, row, chunks }, k) => {
      const firstPartial = partial;
      commandsOf.set(index, [command, chunks.length]);
      const elementCount = chunks.reduce((sum, chunk) => sum + chunk.elementCount, 0);
      records!.setElementCount(device.queue, index, elementCount);
      for (const chunk of chunks) {
        PORTION.write(portions, (this.#portionStride / 4) * command++, {
          lane_count: chunk.laneCount,
          element_count: chunk.elementCount,
          data_base: chunk.dataBase,
          grad_base: chunk.gradBase,
          state_base: chunk.stateBase,
          first_partial: partial,
          workgroup_count: chunk.workgroupCount,
          row: row % layout.rowsPerPage,
          mask_base: chunk.maskBase,
        });
        partial += chunk.workgroupCount;
      }
      SPAN.write(spans, (SPAN.byteLength / 4) * k, {
        first_partial: firstPartial,
        partial_count: partial - firstPartial,
        row,
        record: records!.wordOf(index),
      });
    });
    device.queue.writeBuffer(this.#portions, 0, portions.u32.buffer);
    device.queue.writeBuffer(this.#spans, 0, spans.u32.buffer);
    return commandsOf;
  }
}
