import type { ByteRange } from './byte-range.js';

/** Words written at once, about: what the host has to hold of them. */
const MOST_WORDS = 2 ** 18;

/** Fills ranges of buffers with words, over and over: zeros in the encoder, others by the queue, ahead of it. */
export function fillRanges(
  { queue }: GPUDevice,
  encoder: GPUCommandEncoder,
  ranges: readonly ByteRange[],
  words: Uint32Array,
): void {
  const isZero = words.every((word) => word === 0);
  for (const range of ranges) {
    if (isZero) encoder.clearBuffer(range.buffer, range.byteOffset, range.byteLength);
    else writeWords(queue, range, words);
  }
}

/** Writes words all over a range, many at a time. */
export function writeWords(
  queue: GPUQueue,
  { buffer, byteOffset, byteLength }: ByteRange,
  words: Uint32Array,
): void {
  const times = Math.min(Math.ceil(MOST_WORDS / words.length), Math.ceil(byteLength / words.byteLength));
  const block = new Uint32Array(times * words.length);
  for (let k = 0; k < times; k++) block.set(words, k * words.length);
  for (let done = 0; done < byteLength; done += block.byteLength) {
    const elementCount = Math.min(block.length, (byteLength - done) / 4);
    queue.writeBuffer(buffer, byteOffset + done, block, 0, elementCount);
  }
}
