import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { isCpuAdapter } from '../../kernel/shape.js';
import type { BindGroups } from '../../gpu/bind-groups.js';
import { makeFilled } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type Pipeline, type PipelineSource, type Planned, getPipelineSync } from '../../gpu/pipelines.js';
import { chooseGrid } from '../../kernel/shape.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { type ReductionDispatch, type ReductionPlan, withGathered } from '../../plan/reduction.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import { Portions } from '../portions.js';
import type { Stage, StepContext } from '../stage.js';
import {
  NO_ROW,
  REDUCTION,
  SPEAKS,
  TENSORS_PER_WORKGROUP,
  advanceSource,
  decideSource,
} from './compose-control.js';
import { portionByteLength, reduceSource, writePortion } from './compose-reduce.js';
import type { Control } from './control.js';
import { ReductionBindings } from './reduction-bindings.js';

/** What a control stage is made of. */
export interface ControlStageParts {
  readonly control: Control;
  /** All tensors of the step, as the reduction was planned for. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly reduction: ReductionPlan<GPUBuffer>;
  /** Of {@link Control.workspace}. */
  readonly workspace: GPUBuffer;
  readonly bindGroups: BindGroups;
}

const masksOf = ({ parts }: ReductionDispatch<GPUBuffer>): GPUBufferBinding[] =>
  parts.flatMap(({ table }) => table?.mask ?? []);

/** Plans a control stage; records for its tensors must be reserved before it is made. */
export function planControlStage(device: GPUDevice, parts: ControlStageParts): Planned<ControlStage> {
  const { control, reduction } = parts;
  const isCpu = isCpuAdapter(adapterInfoOf(device));
  const sources = {
    reduce: reduction.dispatches.map((dispatch) => reduceSource(dispatch, control.row, isCpu)),
    decide: decideSource(control.options, control.row),
    advance: advanceSource(control.row),
  };
  return {
    sources: [...sources.reduce, sources.decide, sources.advance],
    make: () => new ControlStage(device, parts, sources),
  };
}

interface Command {
  readonly pipeline: Pipeline;
  readonly buffers: GPUBindGroup;
  readonly grid: readonly [number, number];
}

/**
 * The part of a step that looks at all gradients and decides on the GPU: norm, clip, skip, loss scale; counts and
 * corrections of each tensor. It writes what it decided to the step's rows, for the stages behind it.
 */
export class ControlStage implements Stage {
  readonly #reduce: readonly RowDispatch[];
  readonly #bindings: ReductionBindings;
  readonly #decide: Command;
  readonly #advance: readonly Command[];
  readonly #own: readonly { destroy(): void }[];
  #slots: GPUBuffer | undefined;
  #slotGroup: GPUBindGroup | undefined;

  constructor(
    private readonly device: GPUDevice,
    private readonly parts: ControlStageParts,
    sources: Record<'decide' | 'advance', PipelineSource> & { reduce: readonly PipelineSource[] },
  ) {
    const { control, reduction, workspace, tensors, bindGroups } = parts;
    const reducers = sources.reduce.map((source) => getPipelineSync(device, source));
    const [decide, advance] = [sources.decide, sources.advance].map((source) =>
      getPipelineSync(device, source),
    );
    const portions = this.#createPortions();
    this.#bindings = new ReductionBindings(reduction, device.limits, (bindings, k) =>
      bindGroups.get(
        reducers[k]!.layouts[0]!,
        [
          portions.binding(k, portionByteLength(reduction.dispatches[k]!)),
          { buffer: workspace },
          ...bindings,
          ...masksOf(reduction.dispatches[k]!),
        ],
        `${control.label} reduce ${k}`,
      ),
    );
    this.#reduce = reduction.dispatches.map(({ parts: [first], grid }, k) => ({
      pipeline: reducers[k]!.pipeline,
      row: first!.row,
      grid,
      bindGroup: this.#bindings.bindGroups[k]!,
    }));
    const { headBuffer, lossScaleBuffer } = control;
    this.#decide = {
      pipeline: decide!,
      buffers: bindGroups.get(
        decide!.layouts[0]!,
        [
          portions.binding(reduction.dispatches.length, REDUCTION.byteLength),
          { buffer: workspace },
          { buffer: headBuffer },
          { buffer: lossScaleBuffer },
        ],
        `${control.label} decide`,
      ),
      grid: [1, 1],
    };
    const rows = this.#createRows(tensors);
    this.#advance = rows.map((buffer, k) => ({
      pipeline: advance!,
      buffers: bindGroups.get(
        advance!.layouts[0]!,
        [{ buffer: headBuffer }, { buffer }, { buffer: control.chunks[k]!.buffer }],
        `${control.label} advance ${k}`,
      ),
      grid: chooseGrid(
        buffer.size / 4,
        { workgroupSize: TENSORS_PER_WORKGROUP, lanesPerInvocation: 1, consecutive: false },
        device.limits.maxComputeWorkgroupsPerDimension,
      ),
    }));
    this.#own = [portions, ...rows];
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    // Where rows take no part, too: what they leave is added up as well.
    encodeDispatches(pass, this.#reduce, step, this.parts.control.row.rowsPerPage, true);
    const slotGroup = this.#slotGroupOf(step);
    this.#encodeCommand(pass, this.#decide, slotGroup, step);
    for (const command of this.#advance) this.#encodeCommand(pass, command, slotGroup, step);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#reduce, step);
    for (const { buffers } of [this.#decide, ...this.#advance]) pass.setBindGroup(0, buffers);
    // So that the first step makes nothing.
    this.#slotGroupOf(step);
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const commit = this.#bindings.prepareRebind(changed);
    return () => {
      commit();
      this.#reduce.forEach((dispatch, k) => (dispatch.bindGroup = this.#bindings.bindGroups[k]!));
    };
  }

  /** Those that the reduction gathers lie in its workspace. */
  withGradients(tensors: readonly PlanTensor<GPUBuffer>[]): PlanTensor<GPUBuffer>[] {
    return withGathered(tensors, this.parts.reduction.gathered, this.parts.workspace);
  }

  destroy(): void {
    for (const own of this.#own) own.destroy();
  }

  #encodeCommand(
    pass: GPUComputePassEncoder,
    { pipeline, buffers, grid }: Command,
    slotGroup: GPUBindGroup,
    step: StepContext,
  ): void {
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, buffers);
    pass.setBindGroup(1, slotGroup, step.slotOffset(), 0, 1);
    pass.dispatchWorkgroups(grid[0], grid[1]);
  }

  /** The ring's buffer at group 1; made again only when the ring has grown. */
  #slotGroupOf({ slots, slotByteLength }: StepContext): GPUBindGroup {
    if (slots !== this.#slots || !this.#slotGroup) {
      const { bindGroups, control } = this.parts;
      const layout = this.#decide.pipeline.layouts[1]!;
      const binding = { buffer: slots, offset: 0, size: slotByteLength };
      this.#slotGroup = bindGroups.get(layout, [binding], `${control.label} slot`);
      this.#slots = slots;
    }
    return this.#slotGroup;
  }

  /** What each dispatch covers, and behind that where the partials are. */
  #createPortions(): Portions {
    const { reduction, control } = this.parts;
    const { dispatches, firstPartialLane, partialCount } = reduction;
    const largest = Math.max(REDUCTION.byteLength, ...dispatches.map(portionByteLength));
    return new Portions(
      this.device,
      `${control.label} portions`,
      largest,
      dispatches.length + 1,
      (view, firstWord, k) => {
        const dispatch = dispatches[k];
        if (dispatch) {
          const rowInPage = dispatch.parts[0]!.row % control.row.rowsPerPage;
          writePortion(view, firstWord, dispatch, firstPartialLane, rowInPage);
        } else {
          REDUCTION.write(view, firstWord, { first_partial: firstPartialLane, partial_count: partialCount });
        }
      },
    );
  }

  /** Per chunk of records, the row of each tensor up to the last; the first one of a row speaks for it. */
  #createRows(tensors: readonly PlanTensor<GPUBuffer>[]): GPUBuffer[] {
    const { control } = this.parts;
    const rowOf = new Map<number, number>();
    const spokenFor = new Set<number>();
    for (const { index, row } of tensors) {
      rowOf.set(index, spokenFor.has(row) ? row : (row | SPEAKS) >>> 0);
      spokenFor.add(row);
    }
    const end = Math.max(-1, ...rowOf.keys()) + 1;
    const used = control.chunks.filter(({ first }) => first < end);
    return used.map(({ first, capacity }, k) => {
      const words = Uint32Array.from(
        { length: Math.min(capacity, end - first) },
        (_, i) => rowOf.get(first + i) ?? NO_ROW,
      );
      return makeFilled(this.device, `${control.label} rows ${k}`, BufferUsage.STORAGE, words);
    });
  }
}
