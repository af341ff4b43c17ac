import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { alignUp } from '../../kernel/alignment.js';
import { recordStruct } from '../../kernel/compose-rule.js';
import { ROOT_COUNT, type RuleLayout } from '../../kernel/rule-layout.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';

/** A tensor that there is a record of. */
export interface RecordedTensor {
  readonly index: number;
  readonly shape?: readonly number[] | undefined;
}

/** What is known of each tensor of a group as a whole, from step to step: the WGSL struct `TensorRecord`. */
export class TensorRecords {
  readonly buffer: GPUBuffer;
  readonly #struct: ReturnType<typeof recordStruct>;
  readonly #stride: number;
  readonly #placeOf: ReadonlyMap<number, number>;

  /**
   * Creates them, all zeros; run it in error scopes.
   *
   * @param tensors the group's.
   */
  constructor(device: GPUDevice, layout: RuleLayout, tensors: readonly RecordedTensor[], label: string) {
    this.#placeOf = new Map(tensors.map(({ index }, k) => [index, k]));
    this.#struct = recordStruct(layout);
    this.#stride = alignUp(this.#struct.byteLength, device.limits.minUniformBufferOffsetAlignment);
    this.buffer = makeBuffer(
      device,
      `${label} records`,
      this.#stride * Math.max(tensors.length, 1),
      BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    );
  }

  /** A tensor's record, for its step kernels; by the tensor's index. */
  binding(tensor: number): GPUBufferBinding {
    return { buffer: this.buffer, offset: this.#offsetOf(tensor), size: this.#struct.byteLength };
  }

  /** The word at which a tensor's record begins. */
  wordOf(tensor: number): number {
    return this.#offsetOf(tensor) / 4;
  }

  /** Where a slot that is not one per element lies. */
  slotRange(slot: string, tensor: number): ByteRange {
    return this.#fieldRange(slot, tensor);
  }

  /** Says of how many elements a tensor is, if records tell. */
  setElementCount(queue: GPUQueue, tensor: number, elementCount: number): void {
    if (!this.#struct.fields.includes(ROOT_COUNT)) return;
    const { byteOffset } = this.#fieldRange(ROOT_COUNT, tensor);
    queue.writeBuffer(this.buffer, byteOffset, Float32Array.of(Math.sqrt(elementCount)));
  }

  #fieldRange(field: string, tensor: number): ByteRange {
    const byteOffset = this.#offsetOf(tensor) + 4 * this.#struct.wordOf(field);
    return { buffer: this.buffer, byteOffset, byteLength: 4 };
  }

  destroy(): void {
    this.buffer.destroy();
  }

  #offsetOf(tensor: number): number {
    return this.#stride * this.#placeOf.get(tensor)!;
  }
}
