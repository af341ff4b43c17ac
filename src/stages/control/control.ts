import { makeBuffer } from '../../gpu/make-buffer.js';
import type { ResolvedGradientOptions } from '../../engine/input/options/gradient-options.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { RowLayout } from '../../kernel/row.js';
import { HEAD_BYTE_LENGTH, type KeptHead, STEP_OFFSET, headBytes } from './head.js';
import { type RecordChunk, type StepRecord, StepRecords } from './step-records.js';

/**
 * What the control stages of a run keep on the GPU from step to step: the head, which is about all tensors, and a record per
 * tensor. Nothing of it ever moves.
 */
export class Control {
  /** The head, to be copied out: {@link HEAD_BYTE_LENGTH} bytes, for `parseHead`. */
  readonly headBuffer: GPUBuffer;
  readonly #records: StepRecords;
  readonly #workspaces: GPUBuffer[] = [];

  /**
   * Creates the head, no step made; run it in error scopes.
   *
   * @param row the layout of the rows that its decisions are written to.
   * @param lossScaleBuffer the float32 that callers bind; it is theirs to destroy who made it.
   */
  constructor(
    private readonly device: GPUDevice,
    readonly options: ResolvedGradientOptions,
    readonly row: RowLayout,
    readonly lossScaleBuffer: GPUBuffer,
    readonly label: string,
  ) {
    this.headBuffer = makeBuffer(
      device,
      `${label} control`,
      HEAD_BYTE_LENGTH,
      BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    );
    this.#records = new StepRecords(device, row.corrections.length, label);
    const { lossScale } = options;
    this.#writeHead({ step: 0, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale });
  }

  /** The records of tensors, which lie in chunks. */
  get chunks(): readonly RecordChunk[] {
    return this.#records.chunks;
  }

  /** Makes records for all tensors below an index; run it in error scopes. */
  reserve(tensorCount: number): void {
    this.#records.reserve(tensorCount);
  }

  /**
   * A buffer for what a reduction leaves within a step, of at least so many bytes; nothing in it outlives the step, so all
   * stages share it. Run it in error scopes.
   */
  workspace(byteLength: number): GPUBuffer {
    const last = this.#workspaces.at(-1);
    if (last && last.size >= byteLength) return last;
    // Those that are too small stay: commands that were encoded before may use them. Doubling keeps their sum small.
    const size = Math.max(byteLength, Math.min(2 * (last?.size ?? 0), this.device.limits.maxBufferSize));
    const made = makeBuffer(this.device, `${this.label} reduction`, size, BufferUsage.STORAGE);
    this.#workspaces.push(made);
    return made;
  }

  /**
   * For what may turn out not to be there.
   *
   * @returns what frees the buffers that are made from now on until then, so that the next who asks gets others.
   */
  mark(): () => void {
    const { length } = this.#workspaces;
    const forgetRecords = this.#records.mark();
    return () => {
      for (const buffer of this.#workspaces.splice(length)) buffer.destroy();
      forgetRecords();
    };
  }

  /** Where a tensor's record lies, to be copied out; for `parseCount`. */
  recordSpan(index: number): { buffer: GPUBuffer; byteOffset: number; byteLength: number } {
    return this.#records.spanOf(index);
  }

  /** Sets what is kept from step to step for all tensors, and of some. */
  restore(head: KeptHead, records: ReadonlyMap<number, StepRecord>): void {
    this.#writeHead(head);
    this.setRecords(records);
    this.device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(head.lossScale));
  }

  /** Forgets the steps of a tensor: its index may be another one's. */
  forget(index: number): void {
    this.#records.clear(index);
  }

  /** Sets the number of steps applied, and nothing else of the head. */
  setStep(step: number): void {
    this.device.queue.writeBuffer(this.headBuffer, STEP_OFFSET, Uint32Array.of(step));
  }

  /** Sets what is kept from step to step of some tensors, by their indices. */
  setRecords(records: ReadonlyMap<number, StepRecord>): void {
    this.#records.restore(records);
  }

  destroy(): void {
    for (const buffer of [this.headBuffer, ...this.#workspaces]) buffer.destroy();
    this.#records.destroy();
  }

  #writeHead(head: KeptHead): void {
    this.device.queue.writeBuffer(this.headBuffer, 0, headBytes(head));
  }
}
