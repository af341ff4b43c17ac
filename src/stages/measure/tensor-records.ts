import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { alignUp } from '../../kernel/alignment.js';
import { recordStruct } from '../../kernel/compose-rule.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import type { ByteRange } from '../../gpu/readback.js';

/** What is known of each tensor of a group as a whole, from step to step: the WGSL struct `TensorRecord`. */
export class TensorRecords {
  readonly buffer: GPUBuffer;
  readonly #struct: ReturnType<typeof recordStruct>;
  readonly #stride: number;
  readonly #placeOf: ReadonlyMap<number, number>;

  /**
   * Creates them, all zeros; run it in error scopes.
   *
   * @param indices of the group's tensors.
   */
  constructor(device: GPUDevice, layout: RuleLayout, indices: readonly number[], label: string) {
    this.#placeOf = new Map(indices.map((index, k) => [index, k]));
    this.#struct = recordStruct(layout);
    this.#stride = alignUp(this.#struct.byteLength, device.limits.minUniformBufferOffsetAlignment);
    this.buffer = makeBuffer(
      device,
      `${label} records`,
      this.#stride * Math.max(indices.length, 1),
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

  /** Where a slot of a whole tensor lies. */
  slotRange(slot: string, tensor: number): ByteRange {
    const byteOffset = this.#offsetOf(tensor) + 4 * this.#struct.wordOf(slot);
    return { buffer: this.buffer, byteOffset, byteLength: 4 };
  }

  destroy(): void {
    this.buffer.destroy();
  }

  #offsetOf(tensor: number): number {
    return this.#stride * this.#placeOf.get(tensor)!;
  }
}
