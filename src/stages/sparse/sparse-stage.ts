import type { Stage, StepContext } from '../stage.js';
import type { RowSums } from './row-sums.js';

/** The sums of a tensor's sparse gradient. */
export interface SummedTensor {
  /** Its row may become another one. */
  readonly tensor: { readonly row: number };
  readonly sums: RowSums;
}

/** The part of a step that sums sparse gradients by row, for all that follows to read. */
export class SparseStage implements Stage {
  constructor(private readonly summed: readonly SummedTensor[]) {}

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const { tensor, sums } of this.summed) if (step.isActive(tensor.row)) sums.encode(pass);
  }

  encodeProbe(pass: GPUComputePassEncoder): void {
    for (const { sums } of this.summed) sums.encodeProbe(pass);
  }

  /** Tables with sparse gradients are not rebound. */
  prepareRebind(): () => void {
    return () => undefined;
  }

  /** The sums are their parameters', and outlive it. */
  destroy(): void {}
}
