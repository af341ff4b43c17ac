import { makeBuffer } from '../../gpu/make-buffer.js';
import type { BindGroups } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { RowLayout } from '../../kernel/row.js';
import { chooseGrid } from '../../kernel/shape.js';
import type { NormDispatch, NormPlan } from '../../plan/norms/plan-norms.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { ReductionBindings } from '../control/reduction-bindings.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import { Portions } from '../portions.js';
import type { StepContext } from '../stage.js';
import { HEADER, measureSource, tableLayout, tableWords, totalSource } from './compose-norms.js';

/** Bytes of a lane of the tables. */
const LANE_BYTE_LENGTH = 16;

/** What norms are measured with. */
export interface NormInput {
  readonly device: GPUDevice;
  readonly row: RowLayout;
  readonly bindGroups: BindGroups;
  readonly label: string;
}

/** The grid for one workgroup each. */
export function gridFor(workgroupCount: number, { limits }: GPUDevice): [number, number] {
  const shape = { workgroupSize: 1, lanesPerInvocation: 1, consecutive: false };
  return chooseGrid(workgroupCount, shape, limits.maxComputeWorkgroupsPerDimension);
}

/** The kernels of a plan: one per measuring dispatch, and that which adds up. */
export function measureSources(plan: NormPlan<unknown>, row: RowLayout, isCopied: boolean): PipelineSource[] {
  return [...plan.dispatches.map((dispatch) => measureSource(dispatch, row, isCopied)), totalSource()];
}

/** The measuring of tensors, each by itself: what it leaves is a total per tensor. */
export class NormMeasures {
  readonly tables: GPUBuffer;
  readonly #headers: Portions;
  readonly #bindings: ReductionBindings;
  readonly #commands: readonly RowDispatch[];
  readonly #total: { readonly pipeline: GPUComputePipeline; readonly bindGroup: GPUBindGroup };
  readonly #grid: readonly [number, number];

  /**
   * Makes it; run it in error scopes.
   *
   * @param slabs what gradients are copied to, if they are.
   * @param maxNorm what the headers say of it.
   */
  constructor(
    private readonly input: NormInput,
    private readonly plan: NormPlan<GPUBuffer>,
    slabs: readonly GPUBuffer[] | undefined,
    private readonly maxNorm = Infinity,
  ) {
    const { device, row, bindGroups, label } = input;
    this.tables = makeBuffer(
      device,
      `${label} norm tables`,
      LANE_BYTE_LENGTH * tableLayout(plan).laneCount,
      BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    );
    device.queue.writeBuffer(this.tables, 0, tableWords(plan));
    this.#headers = this.#writeHeaders();
    const pipelines = measureSources(plan, row, slabs !== undefined).map((source) =>
      getPipelineSync(device, source),
    );
    this.#bindings = new ReductionBindings(plan, device.limits, (bindings, k) => {
      const { slab, table } = plan.dispatches[k]!;
      const own = [this.header(k), { buffer: this.tables }, ...(slabs ? [{ buffer: slabs[slab]! }] : [])];
      const all = [...own, ...bindings, ...(table?.mask ? [table.mask] : [])];
      return bindGroups.get(pipelines[k]!.layouts[0]!, all, `${label} norms ${k}`);
    });
    this.#commands = plan.dispatches.map((dispatch, k) => ({
      pipeline: pipelines[k]!.pipeline,
      row: dispatch.row,
      grid: gridFor(dispatch.portionCount, device),
      bindGroup: this.#bindings.bindGroups[k]!,
    }));
    const { pipeline, layouts } = pipelines.at(-1)!;
    const ofAll = this.header(plan.dispatches.length + plan.copies.length);
    const bindGroup = bindGroups.get(layouts[0]!, [ofAll, { buffer: this.tables }], `${label} norms`);
    this.#total = { pipeline, bindGroup };
    this.#grid = gridFor(plan.items.length, device);
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
    pass.setPipeline(this.#total.pipeline);
    pass.setBindGroup(0, this.#total.bindGroup);
    pass.dispatchWorkgroups(this.#grid[0], this.#grid[1]);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#commands, step);
    pass.setBindGroup(0, this.#total.bindGroup);
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const commit = this.#bindings.prepareRebind(changed);
    return () => {
      commit();
      this.#commands.forEach((command, k) => (command.bindGroup = this.#bindings.bindGroups[k]!));
    };
  }

  /** The header of a measuring dispatch; behind those lie one for each of the plan's copies, and one of all items. */
  header(k: number): GPUBufferBinding {
    return this.#headers.binding(k, HEADER.byteLength);
  }

  /** The totals of all items, to be read. */
  get totals(): ByteRange {
    const { items } = this.plan;
    const byteOffset = LANE_BYTE_LENGTH * tableLayout(this.plan).firstTotal;
    return { buffer: this.tables, byteOffset, byteLength: LANE_BYTE_LENGTH * items.length };
  }

  destroy(): void {
    this.tables.destroy();
    this.#headers.destroy();
  }

  #writeHeaders(): Portions {
    const { plan, maxNorm } = this;
    const { device, row: rows, label } = this.input;
    const { firstItem, firstTotal, firstPartial } = tableLayout(plan);
    const ofItems = { row: 0, firstPortion: 0, portionCount: plan.items.length };
    const all: readonly Covered[] = [...plan.dispatches, ...plan.copies, ofItems];
    return new Portions(device, `${label} norm headers`, HEADER.byteLength, all.length, (view, word, k) => {
      const { row, firstPortion, portionCount, table } = all[k]!;
      HEADER.write(view, word, {
        row: row % rows.rowsPerPage,
        first_portion: firstPortion,
        portion_count: portionCount,
        first_item: firstItem,
        first_total: firstTotal,
        first_partial: firstPartial,
        mask_base: table?.maskBase ?? 0,
        max_norm: maxNorm,
      });
    });
  }
}

/** What a header is about. */
type Covered = Pick<NormDispatch<unknown>, 'row' | 'firstPortion' | 'portionCount' | 'table'>;
