import { makeBuffer } from '../../gpu/make-buffer.js';
import { registerArenaBuffer } from '../../gpu/arena-buffers.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';

/** Nothing that ends in a copy is followed by anybody's: they are only read behind where they are made. */
const EVERYWHERE = { has: () => true };
const LANE_BYTE_LENGTH = 16;

/** A buffer of copies, and how many stages use it. */
interface Slab {
  readonly buffer: GPUBuffer;
  userCount: number;
}

/**
 * Memory for copies of gradients, within a step. A generation goes on with the buffers of the last one if they are of about the
 * right size, so that the stages behind it stay; one that no stage uses any more is freed.
 */
export class ClippedCopies {
  readonly #placeholders: GPUBuffer[] = [];
  readonly #last: Slab[] = [];

  constructor(
    private readonly device: GPUDevice,
    /** What each gradient's norm is limited to. */
    readonly maxNorm: number,
    private readonly label: string,
  ) {}

  /** Stands for the k-th buffer where it is not there yet. */
  placeholder(k: number): GPUBuffer {
    return (this.#placeholders[k] ??= this.#register({} as GPUBuffer));
  }

  /**
   * The k-th buffer, of at least so many lanes. Run it in error scopes.
   *
   * @returns it, and what says that it is not used any more.
   */
  acquire(k: number, laneCount: number): { readonly buffer: GPUBuffer; release(): void } {
    const byteLength = LANE_BYTE_LENGTH * laneCount;
    const last = this.#last[k];
    const fits =
      last && last.userCount > 0 && last.buffer.size >= byteLength && last.buffer.size <= 2 * byteLength;
    const slab = fits ? last : (this.#last[k] = { buffer: this.#create(k, byteLength), userCount: 0 });
    slab.userCount++;
    return {
      buffer: slab.buffer,
      release: () => {
        slab.userCount--;
        if (slab.userCount === 0) slab.buffer.destroy();
      },
    };
  }

  /** Lets no stage that is made from now on have a buffer that there is: it may turn out not to be there. */
  forget(): void {
    this.#last.length = 0;
  }

  /** Frees those of stages that were left to the garbage collector. */
  destroy(): void {
    for (const { buffer } of this.#last) buffer.destroy();
  }

  #create(k: number, byteLength: number): GPUBuffer {
    const label = `${this.label} clipped gradients ${k}`;
    return this.#register(makeBuffer(this.device, label, byteLength, BufferUsage.STORAGE));
  }

  #register(buffer: GPUBuffer): GPUBuffer {
    const about = { arena: this.label, isDestroyed: false };
    registerArenaBuffer(buffer, about, { padding: Infinity, ends: EVERYWHERE });
    return buffer;
  }
}
