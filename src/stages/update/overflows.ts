import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import type { PlanLimits } from '../../plan/pieces.js';

/** Counts the weights that became infinite by rounding: a u32 that all kernels of a run add to, made when the first one binds it. */
export class Overflows {
  #buffer: GPUBuffer | undefined;

  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
  ) {}

  /** Where the count lies; none as long as there is nothing to count. */
  get span(): ByteRange | undefined {
    return this.#buffer && { buffer: this.#buffer, byteOffset: 0, byteLength: 4 };
  }

  /** To be bound; run it in error scopes. */
  binding(): GPUBufferBinding {
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC;
    this.#buffer ??= makeBuffer(this.device, `${this.label} overflows`, 4, usage);
    return { buffer: this.#buffer };
  }

  /** For what may turn out not to be there. @returns what frees the buffer, if it is made between now and then. */
  mark(): () => void {
    if (this.#buffer) return () => undefined;
    return () => {
      this.#buffer?.destroy();
      this.#buffer = undefined;
    };
  }

  destroy(): void {
    this.#buffer?.destroy();
  }
}

/** Storage buffers of a kernel beside state: weights, gradients, a list of rows or a mask, and the count. */
const OTHER_BINDINGS = 4;

/** Whether the device binds a count beside all else that a rule's kernels may bind. */
export const hasRoomForCount = (
  { elementSlots }: RuleLayout,
  { maxStorageBuffersPerShaderStage }: Pick<PlanLimits, 'maxStorageBuffersPerShaderStage'>,
): boolean => elementSlots.length + OTHER_BINDINGS <= maxStorageBuffersPerShaderStage;
