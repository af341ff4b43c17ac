import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';

/** The GPU buffers that an adapter makes beside its framework's; all are freed together. */
export class OwnBuffers {
  readonly #made: GPUBuffer[] = [];
  // In place of gradients that are not there; parameters share it.
  #zeros: GPUBuffer | undefined;

  /** @param label what the buffers' labels begin with. */
  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
  ) {}

  /** A buffer of zeros, for weights or whatever is copied. */
  make(name: string, byteLength: number): GPUBuffer {
    const buffer = this.#create(
      name,
      byteLength,
      BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    );
    this.#made.push(buffer);
    return buffer;
  }

  /**
   * Zeros to bind where there is no gradient. They are the same each time, until longer ones are asked for: then those
   * before are freed, so all who have them must ask again.
   */
  zeros(byteLength: number): GPUBuffer {
    if (this.#zeros && this.#zeros.size >= byteLength) return this.#zeros;
    this.#zeros?.destroy();
    this.#zeros = this.#create('zeros', byteLength, BufferUsage.STORAGE);
    return this.#zeros;
  }

  destroy(): void {
    for (const buffer of this.#made.splice(0)) buffer.destroy();
    this.#zeros?.destroy();
    this.#zeros = undefined;
  }

  #create(name: string, byteLength: number, usage: GPUBufferUsageFlags): GPUBuffer {
    return makeBuffer(this.device, `${this.label} ${name}`, byteLength, usage);
  }
}
