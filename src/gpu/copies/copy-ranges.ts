import { makeBuffer } from '../make-buffer.js';
import * as BufferUsage from '../buffer-usage.js';
import type { ByteRange } from './byte-range.js';

/** The most that goes by way of a buffer in between at once. */
const VIA_BYTE_LENGTH = 16 * 2 ** 20;

/** Bytes, and where they are to go: as many, in whatever ranges. */
export interface RangeCopy {
  readonly from: readonly ByteRange[];
  readonly to: readonly ByteRange[];
}

/**
 * Encodes copies, one after the other. WebGPU copies from one buffer to another; within one they go by way of a third.
 *
 * @returns what frees that one, to be called once all is submitted.
 */
export function encodeCopies(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  copies: readonly RangeCopy[],
  label: string,
): () => void {
  const pieces = joinNeighbours(copies.flatMap(cutAlike));
  const longest = pieces.reduce(
    (most, { from, to, byteLength }) => (from.buffer === to.buffer ? Math.max(most, byteLength) : most),
    0,
  );
  const via =
    longest > 0
      ? makeBuffer(
          device,
          `${label} copy`,
          Math.min(longest, VIA_BYTE_LENGTH),
          BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
        )
      : undefined;
  for (const { from, to, byteLength } of pieces) {
    if (!via || from.buffer !== to.buffer) {
      encoder.copyBufferToBuffer(from.buffer, from.byteOffset, to.buffer, to.byteOffset, byteLength);
      continue;
    }
    for (let done = 0; done < byteLength; done += via.size) {
      const size = Math.min(byteLength - done, via.size);
      encoder.copyBufferToBuffer(from.buffer, from.byteOffset + done, via, 0, size);
      encoder.copyBufferToBuffer(via, 0, to.buffer, to.byteOffset + done, size);
    }
  }
  return () => via?.destroy();
}

interface Piece {
  readonly from: Omit<ByteRange, 'byteLength'>;
  readonly to: Omit<ByteRange, 'byteLength'>;
  readonly byteLength: number;
}

/** Cuts both sides where either has a boundary. */
function cutAlike({ from, to }: RangeCopy): Piece[] {
  const pieces: Piece[] = [];
  let [a, b, doneA, doneB] = [0, 0, 0, 0];
  while (a < from.length && b < to.length) {
    const [source, target] = [from[a]!, to[b]!];
    const byteLength = Math.min(source.byteLength - doneA, target.byteLength - doneB);
    pieces.push({
      from: { buffer: source.buffer, byteOffset: source.byteOffset + doneA },
      to: { buffer: target.buffer, byteOffset: target.byteOffset + doneB },
      byteLength,
    });
    [doneA, doneB] = [doneA + byteLength, doneB + byteLength];
    if (doneA === source.byteLength) [a, doneA] = [a + 1, 0];
    if (doneB === target.byteLength) [b, doneB] = [b + 1, 0];
  }
  return pieces;
}

/** Copies of what lies behind one another on both sides are one. */
function joinNeighbours(pieces: readonly Piece[]): Piece[] {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    const follows = (side: 'from' | 'to') =>
      last!.byteLength + last![side].byteOffset === piece[side].byteOffset &&
      last![side].buffer === piece[side].buffer;
    // Within one buffer, a copy may need what the one before it has written.
    if (last && last.from.buffer !== last.to.buffer && follows('from') && follows('to')) {
      joined[joined.length - 1] = { ...last, byteLength: last.byteLength + piece.byteLength };
    } else joined.push(piece);
  }
  return joined;
}
