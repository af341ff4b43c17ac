import { makeFilled } from '../gpu/make-buffer.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import { alignUp } from '../kernel/alignment.js';
import { type WordView, wordView } from '../kernel/structs.js';

/** What dispatches are told, each a struct of its own: uniforms in one buffer, at offsets that the device allows. */
export class Portions {
  readonly #buffer: GPUBuffer;
  readonly #stride: number;

  /**
   * Creates the buffer; run it in error scopes.
   *
   * @param byteLength of the largest.
   * @param write writes the k-th, from a word of the view on.
   */
  constructor(
    device: GPUDevice,
    label: string,
    byteLength: number,
    count: number,
    write: (view: WordView, firstWord: number, k: number) => void,
  ) {
    this.#stride = alignUp(byteLength, device.limits.minUniformBufferOffsetAlignment);
    const view = wordView(new ArrayBuffer(this.#stride * Math.max(count, 1)));
    for (let k = 0; k < count; k++) write(view, (this.#stride / 4) * k, k);
    this.#buffer = makeFilled(device, label, BufferUsage.UNIFORM, view.u32);
  }

  /** The first bytes of the k-th. */
  binding(k: number, byteLength: number): GPUBufferBinding {
    return { buffer: this.#buffer, offset: this.#stride * k, size: byteLength };
  }

  destroy(): void {
    this.#buffer.destroy();
  }
}
