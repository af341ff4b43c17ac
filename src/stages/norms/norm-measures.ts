import type { BindGroups } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import type { ByteRange } from '../../gpu/readback.js';
import type { RowLayout } from '../../kernel/row.js';
import { chooseGrid } from '../../kernel/shape.js';
import type { NormPlan } from '../../plan/norms.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { ReductionBindings } from '../control/reduction-bindings.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import { Portions } from '../portions.js';
import type { StepContext } from '../stage.js';
import { HEADER, measureSource, tableLayout, tableWords } from './compose-norms.js';

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

/** The kernels of a plan's measuring dispatches. */
export function measureSources(plan: NormPlan<unknown>, row: RowLayout, isCopied: boolean): PipelineSource[] {
  return plan.dispatches.map((dispatch) => measureSource(dispatch, row, isCopied));
}

/** The measuring of tensors, each by itself: what it leaves is a partial per portion. */
export class NormMeasures {
  readonly tables: GPUBuffer;
  readonly #headers: Portions;
  readonly #bindings: ReductionBindings;
  readonly #commands: readonly RowDispatch[];

  /**
   * Makes it; run it in error scopes.
   *
   * @param slabs what gradients are copied to, if they are.
   * @param maxNorm what items are told, for factors.
   */
  constructor(
    private readonly input: NormInput,
    readonly plan: NormPlan<GPUBuffer>,
    slabs: readonly GPUBuffer[] | undefined,
    maxNorm = Infinity,
  ) {
    const { device, row, bindGroups, label } = input;
    const words = tableWords(plan, maxNorm);
    const { laneCount } = tableLayout(plan);
    this.tables = device.createBuffer({
      label: `${label} norms`,
      size: LANE_BYTE_LENGTH * laneCount,
      usage: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(this.tables, 0, words);
    this.#headers = this.#writeHeaders();
    const pipelines = measureSources(plan, row, slabs !== undefined).map((source) =>
      getPipelineSync(device, source),
    );
    this.#bindings = new ReductionBindings(plan, device.limits, (bindings, k) => {
      const slab = slabs?.[plan.dispatches[k]!.slab];
      const own = [this.header(k), { buffer: this.tables }, ...(slab ? [{ buffer: slab }] : [])];
      return bindGroups.get(pipelines[k]!.layouts[0]!, [...own, ...bindings], `${label} norms ${k}`);
    });
    this.#commands = plan.dispatches.map((dispatch, k) => ({
      pipeline: pipelines[k]!.pipeline,
      row: dispatch.row,
      grid: gridFor(dispatch.portionCount, device),
      bindGroup: this.#bindings.bindGroups[k]!,
    }));
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#commands, step);
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

  /** The partials of an item, to be read. */
  partialsOf(item: number): ByteRange {
    const { firstPartial, partialCount } = this.plan.items[item]!;
    const first = tableLayout(this.plan).firstPartial + firstPartial;
    return {
      buffer: this.tables,
      byteOffset: LANE_BYTE_LENGTH * first,
      byteLength: LANE_BYTE_LENGTH * partialCount,
    };
  }

  destroy(): void {
    this.tables.destroy();
    this.#headers.destroy();
  }

  #writeHeaders(): Portions {
    const { plan } = this;
    const { device, row: rows, label } = this.input;
    const { firstItem, firstPartial } = tableLayout(plan);
    const all = [
      ...plan.dispatches,
      ...plan.copies,
      { row: 0, firstPortion: firstItem, portionCount: plan.items.length },
    ];
    return new Portions(device, `${label} norm headers`, HEADER.byteLength, all.length, (view, word, k) => {
      const { row, firstPortion, portionCount } = all[k]!;
      HEADER.write(view, word, {
        row: row % rows.rowsPerPage,
        first_portion: firstPortion,
        portion_count: portionCount,
        first_item: firstItem,
        first_partial: firstPartial,
      });
    });
  }
}
