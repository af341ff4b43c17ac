import { SEGMENT_BYTE_LENGTH, segmentWords } from '../kernel/segment.js';
import type { Batch } from './plan/batches.js';

/** Covers no element. */
const EMPTY = { laneCount: 0, dataBase: 0, gradBase: 0, stateBase: 0, split: 0, skip: 0 };

/** Segments of batches of which a step leaves some tensors as they are: made when such a step first comes, and kept. */
export class PartialSegments {
  readonly #buffers = new Map<string, GPUBuffer>();

  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
  ) {}

  /**
   * The segments of a batch, of which those left out cover nothing.
   *
   * @param key what tells the batch and the parts that are left out from others.
   */
  get(key: string, { parts }: Batch<GPUBuffer>, isLeftOut: readonly boolean[]): GPUBufferBinding {
    const known = this.#buffers.get(key);
    if (known) return { buffer: known };
    const buffer = this.device.createBuffer({
      label: `${this.label} segments ${key}`,
      size: SEGMENT_BYTE_LENGTH * parts.length,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    const words = new Uint32Array(buffer.getMappedRange());
    parts.forEach(({ segment }, part) =>
      words.set(segmentWords(isLeftOut[part] ? EMPTY : segment), (SEGMENT_BYTE_LENGTH * part) / 4),
    );
    buffer.unmap();
    this.#buffers.set(key, buffer);
    return { buffer };
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
  }
}
