import type { ByteRange } from './readback.js';

/** Elements written at once: what the host has to hold of them. */
const BLOCK_ELEMENTS = 2 ** 18;

/** Fills ranges of buffers with a word: zeros in the encoder, others by the queue, ahead of it. */
export function fillRanges(
  { queue }: GPUDevice,
  encoder: GPUCommandEncoder,
  ranges: readonly ByteRange[],
  word: number,
): void {
  for (const range of ranges) {
    if (word === 0) encoder.clearBuffer(range.buffer, range.byteOffset, range.byteLength);
    else writeWord(queue, range, word);
  }
}

/** Writes a word all over a range, block by block. */
export function writeWord(
  queue: GPUQueue,
  { buffer, byteOffset, byteLength }: ByteRange,
  word: number,
): void {
  const block = new Uint32Array(Math.min(BLOCK_ELEMENTS, byteLength / 4)).fill(word);
  for (let done = 0; done < byteLength; done += block.byteLength) {
    const elementCount = Math.min(block.length, (byteLength - done) / 4);
    queue.writeBuffer(buffer, byteOffset + done, block, 0, elementCount);
  }
}
