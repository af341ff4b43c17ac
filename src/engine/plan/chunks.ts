import { alignDown } from '../../kernel/alignment.js';
import type { AccessVariant } from '../../kernel/variant.js';
import type { Piece, PlannedBinding } from './planned.js';

/** A stretch of a tensor that bindings can cover: as many bytes of weights as of gradients. */
export interface Chunk<B> {
  readonly data: Piece<B>;
  readonly grad: Piece<B>;
}

/** Cuts where either list of pieces has a boundary, and wherever a binding would grow too large. */
export function cutIntoChunks<B>(
  data: readonly Piece<B>[],
  grad: readonly Piece<B>[],
  maxBindingSize: number,
  alignment: number,
): Chunk<B>[] {
  const chunks: Chunk<B>[] = [];
  let [d, g, dataDone, gradDone] = [0, 0, 0, 0];
  while (d < data.length && g < grad.length) {
    const dataPiece = data[d]!;
    const gradPiece = grad[g]!;
    const dataOffset = dataPiece.byteOffset + dataDone;
    const gradOffset = gradPiece.byteOffset + gradDone;
    // Rounding an offset down can add almost `alignment` bytes to a binding.
    const isAligned = dataOffset % alignment === 0 && gradOffset % alignment === 0;
    const maxChunk = alignDown(maxBindingSize, alignment) - (isAligned ? 0 : alignment);
    const byteLength = Math.min(dataPiece.byteLength - dataDone, gradPiece.byteLength - gradDone, maxChunk);
    const chunk = {
      data: { buffer: dataPiece.buffer, byteOffset: dataOffset, byteLength },
      grad: { buffer: gradPiece.buffer, byteOffset: gradOffset, byteLength },
    };
    chunks.push(...separate(chunk, maxBindingSize, alignment));
    dataDone += byteLength;
    gradDone += byteLength;
    if (dataDone === dataPiece.byteLength) [d, dataDone] = [d + 1, 0];
    if (gradDone === gradPiece.byteLength) [g, gradDone] = [g + 1, 0];
  }
  return chunks;
}

/**
 * Halves a chunk whose data and grad bindings would overlap by rounding and are too long to share one binding:
 * the halves lie further apart.
 */
function separate<B>(chunk: Chunk<B>, maxBindingSize: number, alignment: number): Chunk<B>[] {
  const { data, grad } = chunk;
  if (gradBindingOf(chunk, maxBindingSize, alignment) !== 'read_write') return [chunk];
  const [low, high] = data.byteOffset < grad.byteOffset ? [data, grad] : [grad, data];
  if (low.byteOffset + low.byteLength <= alignDown(high.byteOffset, alignment)) return [chunk];
  const half = Math.max(alignDown(data.byteLength / 2, alignment), alignment);
  const part = (piece: Piece<B>, start: number, byteLength: number) => ({
    buffer: piece.buffer,
    byteOffset: piece.byteOffset + start,
    byteLength,
  });
  return [
    { data: part(data, 0, half), grad: part(grad, 0, half) },
    {
      data: part(data, half, data.byteLength - half),
      grad: part(grad, half, data.byteLength - half),
    },
  ].flatMap((piece) => separate(piece, maxBindingSize, alignment));
}

/** The binding that spans both pieces of a chunk. */
export function union<B>({ data, grad }: Chunk<B>, alignment: number): PlannedBinding<B> {
  const offset = alignDown(Math.min(data.byteOffset, grad.byteOffset), alignment);
  const end = Math.max(data.byteOffset, grad.byteOffset) + data.byteLength;
  return { buffer: data.buffer, offset, size: end - offset };
}

/** How a chunk's gradient is reached: WebGPU lets no buffer be read by one binding and written by another. */
export function gradBindingOf<B>(
  chunk: Chunk<B>,
  maxBindingSize: number,
  alignment: number,
): AccessVariant['gradBinding'] {
  if (chunk.data.buffer !== chunk.grad.buffer) return 'read';
  return union(chunk, alignment).size <= maxBindingSize ? 'shared' : 'read_write';
}
