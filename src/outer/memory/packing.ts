import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { StretchFacts } from '../../plan/stretch.js';
import type { DeltaFormat } from '../deltas/compress.js';
import type { Places } from './places.js';
import type { FloatSlabs } from './slabs.js';

/** Where numbers come from and go to. */
export interface PackingInput {
  readonly device: GPUDevice;
  readonly facts: StretchFacts<GPUBuffer>;
  readonly places: Places;
  readonly format: DeltaFormat;
  /** What is packed, and what is left over of it; absent where deltas of this format are only read. */
  readonly pending: FloatSlabs | undefined;
  /** What is added to. */
  readonly mean: FloatSlabs;
  readonly label: string;
}

/** Deltas of one format, on the GPU: one at a time. */
export interface Packing {
  /** Where the bytes of a tensor lie, whole words. */
  ranges(tensor: number): readonly ByteRange[];
  /** Puts bytes in place. @param bytesOf those of a tensor, as in a file. */
  write(bytesOf: (tensor: number) => Uint8Array<ArrayBuffer>): void;
  /** Packs what is pending. */
  encodePack(pass: GPUComputePassEncoder): void;
  /** Takes what is packed from what is pending, or adds it to that again. */
  encodeTaking(pass: GPUComputePassEncoder, isBack: boolean): void;
  /** Adds what is packed to the mean; it is to be submitted before the next factor is set. */
  encodeAdding(pass: GPUComputePassEncoder): void;
  /** What the mean gets of it. */
  setFactor(factor: number): void;
  destroy(): void;
}
