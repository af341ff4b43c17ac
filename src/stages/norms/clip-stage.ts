import { type Planned, getPipelineSync } from '../../gpu/pipelines.js';
import { type NormPlan, planNorms } from '../../plan/norms/plan-norms.js';
import type { PlanTensor } from '../../plan/pieces.js';
import type { StretchFacts } from '../../plan/stretch.js';
import { type RowDispatch, encodeDispatches } from '../dispatches.js';
import type { Stage, StepContext } from '../stage.js';
import type { ClippedCopies } from './clipped-copies.js';
import { scaleSource } from './compose-norms.js';
import { type NormInput, NormMeasures, gridFor, measureSources } from './norm-measures.js';

/** What a clipping stage clips, and how. */
export interface ClipInput extends NormInput {
  /** As the stages before it leave them. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly facts: StretchFacts<GPUBuffer>;
  readonly copies: ClippedCopies;
  /** Whether dispatches of the stages behind it take several tensors. */
  readonly isShared: boolean;
}

/** A clipping stage, and the tensors as it leaves them, before its buffers are there. */
export interface PlannedClip extends Planned<ClipStage> {
  withGradients(tensors: readonly PlanTensor<GPUBuffer>[]): PlanTensor<GPUBuffer>[];
}

/** Plans a clipping stage. */
export function planClipStage(input: ClipInput): PlannedClip {
  const { tensors, facts, row, copies, isShared } = input;
  const plan = planNorms(tensors, facts, true);
  return {
    sources: [...measureSources(plan, row, true), scaleSource(row)],
    withGradients: (list) => withCopies(list, plan, (k) => copies.placeholder(k), isShared),
    make: () => new ClipStage(input, plan),
  };
}

/**
 * The part of a step that limits the norm of each gradient by itself. All are copied on the way, for callers' gradients stay as
 * they are: measured and copied, many tensors to a dispatch; then added up per tensor; then the copies are scaled.
 */
export class ClipStage implements Stage {
  readonly #measures: NormMeasures;
  readonly #slabs: readonly ReturnType<ClippedCopies['acquire']>[];
  readonly #scale: readonly RowDispatch[];

  /** Makes it; run it in error scopes. */
  constructor(
    private readonly input: ClipInput,
    private readonly plan: NormPlan<GPUBuffer>,
  ) {
    const { device, row, bindGroups, label, copies } = input;
    this.#slabs = plan.slabLaneCounts.map((laneCount, k) => copies.acquire(k, laneCount));
    const buffers = this.#slabs.map(({ buffer }) => buffer);
    const measures = new NormMeasures(input, plan, buffers, copies.maxNorm);
    this.#measures = measures;
    const { pipeline, layouts } = getPipelineSync(device, scaleSource(row));
    this.#scale = plan.copies.map((copy, k) => ({
      pipeline,
      row: copy.row,
      grid: gridFor(copy.portionCount, device),
      bindGroup: bindGroups.get(
        layouts[0]!,
        [
          measures.header(plan.dispatches.length + k),
          { buffer: measures.tables },
          { buffer: buffers[copy.slab]! },
        ],
        `${label} clip by norms`,
      ),
    }));
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    this.#measures.encode(pass, step);
    encodeDispatches(pass, this.#scale, step, this.input.row.rowsPerPage);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    this.#measures.encodeProbe(pass, step);
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    return this.#measures.prepareRebind(changed);
  }

  withGradients(tensors: readonly PlanTensor<GPUBuffer>[]): PlanTensor<GPUBuffer>[] {
    return withCopies(tensors, this.plan, (k) => this.#slabs[k]!.buffer, this.input.isShared);
  }

  destroy(): void {
    this.#measures.destroy();
    for (const slab of this.#slabs) slab.release();
  }
}

/** The tensors with the copies of their gradients. */
function withCopies(
  tensors: readonly PlanTensor<GPUBuffer>[],
  { places, slabLaneCounts }: NormPlan<GPUBuffer>,
  slabOf: (k: number) => GPUBuffer,
  isShared: boolean,
): PlanTensor<GPUBuffer>[] {
  return tensors.map(({ isGathered: _isGathered, ...tensor }) => {
    const own = places.get(tensor.index)!;
    const grad = own.map(({ slab, lane, elementCount }) => ({
      buffer: slabOf(slab),
      byteOffset: 16 * lane,
      elementCount,
    }));
    const isReached =
      isShared && slabLaneCounts.length === 1 && !tensor.rows && tensor.rowLength === undefined;
    return { ...tensor, grad, ...(isReached && { isGathered: true }) };
  });
}
