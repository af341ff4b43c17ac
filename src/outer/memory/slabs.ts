import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import { ELEMENT_BYTE_LENGTH, type PlanTensor, type StatePiece } from '../../plan/pieces.js';
import type { Places } from './places.js';

/** Float32 numbers, one per element of the weights, in one buffer per slab. */
export type FloatSlabs = readonly GPUBuffer[];

/** Creates them, zero; run it in error scopes. */
export function makeSlabs(
  device: GPUDevice,
  { slabElementCounts }: Places,
  label: string,
  byteLengthOf = (elementCount: number): number => ELEMENT_BYTE_LENGTH * elementCount,
): GPUBuffer[] {
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
  return slabElementCounts.map((elementCount, k) =>
    makeBuffer(device, `${label} ${k}`, byteLengthOf(elementCount), usage),
  );
}

/** Copies all numbers to slabs of the same places. */
export function copySlabs(encoder: GPUCommandEncoder, from: FloatSlabs, to: FloatSlabs): void {
  from.forEach((slab, k) => encoder.copyBufferToBuffer(slab, 0, to[k]!, 0, slab.size));
}

/** Where the float32 of a tensor lie in slabs. */
export const floatRanges = (
  slabs: FloatSlabs,
  pieces: readonly StatePiece[],
): { buffer: GPUBuffer; byteOffset: number; byteLength: number }[] =>
  pieces.map(({ slab, element, elementCount }) => ({
    buffer: slabs[slab]!,
    byteOffset: ELEMENT_BYTE_LENGTH * element,
    byteLength: ELEMENT_BYTE_LENGTH * elementCount,
  }));

/** The numbers of each tensor, as weights that have a state of the same places: of blocks that are rounded together, none has padding. */
export const tensorsIn = (slabs: FloatSlabs, { ofTensor }: Places): PlanTensor<GPUBuffer>[] =>
  ofTensor.map((state, index) => ({
    index,
    row: 0,
    data: state.map(({ slab, element, elementCount }) => ({
      buffer: slabs[slab]!,
      byteOffset: ELEMENT_BYTE_LENGTH * element,
      elementCount,
    })),
    state,
  }));

/** All numbers of slabs, padding too, as weights that have a state of the same places. */
export const wholeSlabs = (slabs: FloatSlabs, { slabElementCounts }: Places): PlanTensor<GPUBuffer>[] =>
  slabs.map((buffer, slab) => {
    const elementCount = slabElementCounts[slab]!;
    return {
      index: slab,
      row: 0,
      data: [{ buffer, byteOffset: 0, elementCount }],
      state: [{ slab, element: 0, elementCount, isPadded: true }],
    };
  });
