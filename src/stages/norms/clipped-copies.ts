import { registerArenaBuffer } from '../../gpu/arena-buffers.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';

/** Nothing that ends in a copy is followed by anybody's: they are only read behind where they are made. */
const EVERYWHERE = { has: () => true };
const LANE_BYTE_LENGTH = 16;

/** Memory for copies of gradients, within a step: all generations share it, and it grows. */
export class ClippedCopies {
  readonly #placeholders: GPUBuffer[] = [];
  readonly #made: GPUBuffer[] = [];
  readonly #last: GPUBuffer[] = [];

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

  /** The k-th buffer, of at least so many lanes. Run it in error scopes. */
  slab(k: number, laneCount: number): GPUBuffer {
    const last = this.#last[k];
    const byteLength = LANE_BYTE_LENGTH * laneCount;
    if (last && last.size >= byteLength) return last;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    // Those that are too small stay: commands that were encoded before may use them. Doubling keeps their sum small.
    const doubled = Math.min(2 * (last?.size ?? 0), most - (most % LANE_BYTE_LENGTH));
    const made = this.device.createBuffer({
      label: `${this.label} clipped gradients ${k}`,
      size: Math.max(byteLength, doubled),
      usage: BufferUsage.STORAGE,
    });
    this.#made.push(made);
    this.#last[k] = made;
    return this.#register(made);
  }

  destroy(): void {
    for (const buffer of this.#made) buffer.destroy();
  }

  #register(buffer: GPUBuffer): GPUBuffer {
    const about = { padding: Infinity, arena: this.label, isDestroyed: false };
    registerArenaBuffer(buffer, about, EVERYWHERE);
    return buffer;
  }
}
