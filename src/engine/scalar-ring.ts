import { alignUp } from '../kernel/alignment.js';

/** Steps that `encode` may have pending, over all encoders that are not submitted yet. */
const INITIAL_CAPACITY = 1024;

/**
 * Uniform memory for the scalars of steps. A step that the optimizer submits itself always uses slot 0: the
 * queue orders its write behind the step before. A step that is encoded for later needs a slot that nobody
 * overwrites until the caller submits, which the API does not tell us; so these slots rotate through a ring,
 * which grows when a single encoder would go round it.
 */
export class ScalarRing {
  readonly #device: GPUDevice;
  readonly #stride: number;
  readonly #staging: ArrayBuffer;
  readonly #views: readonly Float32Array[];
  readonly #label: string;
  #capacity = INITIAL_CAPACITY;
  #cursor = 0;
  #buffer: GPUBuffer;
  // Buffers that the ring has outgrown; commands encoded earlier still refer to them.
  #outgrown: GPUBuffer[] = [];
  #encodedWith = new WeakMap<GPUCommandEncoder, number>();

  /** Creates the buffer; run it in error scopes. */
  constructor(
    device: GPUDevice,
    /** Structs that each step writes: one per group, and one for the control pass if there is one. */
    structCount: number,
    /** Bytes of the largest of them. */
    byteLength: number,
    label: string,
  ) {
    const alignment = device.limits.minUniformBufferOffsetAlignment;
    this.#device = device;
    this.#stride = alignUp(byteLength, alignment);
    this.#staging = new ArrayBuffer(this.#stride * structCount);
    this.#views = Array.from(
      { length: structCount },
      (_, k) => new Float32Array(this.#staging, k * this.#stride, this.#stride / 4),
    );
    this.#label = label;
    this.#buffer = this.#createBuffer();
  }

  /** The buffer to bind; another one after `take` returned true in `grown`. */
  get buffer(): GPUBuffer {
    return this.#buffer;
  }

  /**
   * Writes the structs of a step and says where they are.
   *
   * @param encoder the caller's encoder, or undefined for a step that is submitted at once.
   * @param write fills the float32 view of struct `k`.
   * @returns `byteOffset` of the slot, and whether the ring has moved to a new buffer.
   */
  take(
    encoder: GPUCommandEncoder | undefined,
    write: (view: Float32Array, k: number) => void,
  ): { byteOffset: number; grown: boolean } {
    const grown = encoder !== undefined && this.#reserve(encoder);
    const slot = encoder === undefined ? 0 : 1 + (this.#cursor++ % this.#capacity);
    this.#views.forEach(write);
    const byteOffset = slot * this.#staging.byteLength;
    this.#device.queue.writeBuffer(this.#buffer, byteOffset, this.#staging);
    return { byteOffset, grown };
  }

  /** Byte offset of struct `k` within a slot. */
  structOffset(k: number): number {
    return k * this.#stride;
  }

  destroy(): void {
    for (const buffer of [this.#buffer, ...this.#outgrown]) buffer.destroy();
  }

  #reserve(encoder: GPUCommandEncoder): boolean {
    const encoded = (this.#encodedWith.get(encoder) ?? 0) + 1;
    this.#encodedWith.set(encoder, encoded);
    if (encoded <= this.#capacity) return false;
    this.#outgrown.push(this.#buffer);
    this.#capacity *= 2;
    this.#cursor = 0;
    // What this encoder holds already lies in the old buffer, so it starts the new one from nothing.
    this.#encodedWith = new WeakMap([[encoder, 1]]);
    this.#buffer = this.#createBuffer();
    return true;
  }

  #createBuffer(): GPUBuffer {
    return this.#device.createBuffer({
      label: `${this.#label} scalars`,
      size: (1 + this.#capacity) * this.#staging.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }
}
