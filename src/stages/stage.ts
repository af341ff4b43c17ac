import type { PlanTensor } from '../plan/pieces.js';

/** What the stages of one step are told; made once, and what it says changes from step to step. */
export interface StepContext {
  /**
   * Bind group 1 of kernels that read one row: `page: array<Scalars, ROWS_PER_PAGE>` as uniform, at one dynamic offset.
   */
  readonly pages: GPUBindGroup;
  /** The dynamic offset of the page that a row is in; in an array that the next call overwrites. */
  pageOffset(row: number): Uint32Array;
  /** The ring's buffer; the slot that begins at {@link slotOffset} has settings, rows and rates of this step. */
  readonly slots: GPUBuffer;
  /** Byte of the slot, which is a legal dynamic offset too; in an array that the next call overwrites. */
  slotOffset(): Uint32Array;
  /** Bytes of a slot. */
  readonly slotByteLength: number;
  /** Whether tensors of a row take part in this step. */
  isActive(row: number): boolean;
}

/** One part of a step. A step is a list of these, encoded in order into one compute pass. */
export interface Stage {
  encode(pass: GPUComputePassEncoder, step: StepContext): void;
  /**
   * Encodes all that binds the caller's buffers, to have the device check them when it is submitted; and binds what else it made.
   *
   * @param step says that no row takes part, so that nothing is done to them.
   */
  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void;
  /**
   * Prepares the same stage over other buffers.
   *
   * @param changed the tensors that lie elsewhere, by index, as the stages before it leave them.
   * @returns what makes the change, and cannot fail.
   * @throws OptimizerError `invalid-parameter` if they lie so differently that other kernels are needed.
   */
  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void;
  /** Tensors as all stages behind it see them, if it puts another gradient in place of theirs. */
  withGradients?(tensors: readonly PlanTensor<GPUBuffer>[]): readonly PlanTensor<GPUBuffer>[];
  /** Frees what it made. */
  destroy(): void;
}
