/** What the stages of one step are told; made once, and its fields change from step to step. */
export interface StepContext {
  /**
   * Bind group 1 of kernels that read one row: `page: array<Scalars, ROWS_PER_PAGE>` as uniform, at one dynamic offset.
   */
  readonly pages: GPUBindGroup;
  /** The dynamic offset of the page that a row is in; in an array that the next call overwrites. */
  pageOffset(row: number): Uint32Array;
  /** The buffer of the ring, whose slot at {@link slotOffset} holds settings, rows and rates of this step. */
  readonly slots: GPUBuffer;
  /** Byte of the slot; also a legal dynamic offset. In an array that the next call overwrites. */
  slotOffset(): Uint32Array;
  /** Whether tensors of a row take part in this step. */
  isActive(row: number): boolean;
}

/** One part of a step. A step is a list of these, encoded in order into one compute pass. */
export interface Stage {
  encode(pass: GPUComputePassEncoder, step: StepContext): void;
  /** Frees what it made. */
  destroy(): void;
}
