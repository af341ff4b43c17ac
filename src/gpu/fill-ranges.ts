import type { ByteRange } from './readback.js';

/** Elements written at once: what the host has to hold of them. */
const BLOCK_ELEMENTS = 2 ** 18;

/** Fills ranges of buffers with a float32: zeros in the encoder, other values by the queue, ahead of it. */
export function fillRanges(
  { queue }: GPUDevice,
  encoder: GPUCommandEncoder,
  ranges: readonly ByteRange[],
  value: number,
): void {
  for (const range of ranges) {
    if (value === 0) encoder.clearBuffer(range.buffer, range.byteOffset, range.byteLength);
    else writeFloat(queue, range, value);
  }
}

/** Writes a float32 all over a range, block by block. */
export function writeFloat(
  queue: GPUQueue,
  { buffer, byteOffset, byteLength }: ByteRange,
  value: number,
): void {
  const block = new Float32Array(Math.min(BLOCK_ELEMENTS, byteLength / 4)).fill(value);
  for (let done = 0; done < byteLength; done += block.byteLength) {
    const elementCount = Math.min(block.length, (byteLength - done) / 4);
    queue.writeBuffer(buffer, byteOffset + done, block, 0, elementCount);
  }
}
