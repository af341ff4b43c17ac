import { type ByteRange, totalByteLength } from './byte-range.js';

/**
 * Encodes copies of ranges, one behind the other, into buffers that are made on the way and filled one by one.
 *
 * @param take makes a buffer for what is left, or some of it; called when it is needed.
 * @returns the buffers.
 */
export function encodeGathering(
  encoder: GPUCommandEncoder,
  ranges: readonly ByteRange[],
  take: (left: number) => GPUBuffer,
): GPUBuffer[] {
  const buffers: GPUBuffer[] = [];
  let left = totalByteLength(ranges);
  let buffer: GPUBuffer | undefined;
  let position = 0;
  for (const range of joinNeighbours(ranges)) {
    for (let done = 0; done < range.byteLength;) {
      if (!buffer || position === buffer.size) {
        buffer = take(left);
        buffers.push(buffer);
        position = 0;
      }
      const size = Math.min(range.byteLength - done, buffer.size - position);
      encoder.copyBufferToBuffer(range.buffer, range.byteOffset + done, buffer, position, size);
      done += size;
      position += size;
      left -= size;
    }
  }
  return buffers;
}

/** Ranges that lie behind one another in a buffer as one: a copy costs more than a few bytes. */
function joinNeighbours(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && last.buffer === range.buffer && last.byteOffset + last.byteLength === range.byteOffset) {
      joined[joined.length - 1] = { ...last, byteLength: last.byteLength + range.byteLength };
    } else joined.push(range);
  }
  return joined;
}

/** Cuts ranges, which lie one behind the other, into lists of so many bytes each, but for the last one. */
export function* cutRanges(ranges: Iterable<ByteRange>, byteLength: number): Generator<ByteRange[]> {
  let piece: ByteRange[] = [];
  let room = byteLength;
  for (const range of ranges) {
    for (let done = 0; done < range.byteLength;) {
      const size = Math.min(room, range.byteLength - done);
      piece.push({ buffer: range.buffer, byteOffset: range.byteOffset + done, byteLength: size });
      done += size;
      room -= size;
      if (room > 0) continue;
      yield piece;
      [piece, room] = [[], byteLength];
    }
  }
  if (piece.length > 0) yield piece;
}
