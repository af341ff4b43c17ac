import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { ELEMENT_BYTE_LENGTH, type Piece, countElements } from '../../plan/pieces.js';
import type { RowMapper, TensorMove } from '../../stages/rows/map-rows.js';
import { bytesOfPiece, doMeet } from '../input/parameter/columns.js';

type Pieces = readonly Piece<GPUBuffer>[];

/**
 * Encodes that the weights of some parameters move, all at once; fresh rows are what is there. What stays where it is goes
 * by way of a small buffer, some columns at a time; what comes to lie elsewhere in its own buffer, or among rows of others, by way of a
 * copy of all of it.
 */
export function encodeWeights(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  mapper: RowMapper,
  moves: readonly TensorMove[],
  label: string,
): void {
  const sources = new Map<GPUBuffer, { readonly piece: Piece<GPUBuffer>; readonly move: TensorMove }[]>();
  for (const move of moves) {
    for (const piece of move.source) {
      const known = sources.get(piece.buffer);
      if (known) known.push({ piece, move });
      else sources.set(piece.buffer, [{ piece, move }]);
    }
  }
  /** Whether bytes are to be written that another one's rows come from. */
  const isAmongOthers = (move: TensorMove) =>
    move.target.some((to) =>
      sources
        .get(to.buffer)
        ?.some((from) => from.move !== move && doMeet(bytesOfPiece(from.piece), bytesOfPiece(to))),
    );
  const back: (() => void)[] = [];
  moves.forEach((move, k) => {
    // Of one map, all have the same strays.
    const counted = { ...move, countsStrays: k === 0 };
    const isHome = startsAlike(move.source, move.target);
    if (isHome && (isNoLonger(move) || !isAmongOthers(move))) {
      mapper.encodeInPlace(encoder, counted);
      return;
    }
    const sharesBuffers = move.target.some((to) => move.source.some(({ buffer }) => buffer === to.buffer));
    if (!sharesBuffers && !isAmongOthers(move)) {
      mapper.encode(encoder, counted);
      return;
    }
    const copy = move.target.map(({ elementCount }): Piece<GPUBuffer> => {
      const byteLength = ELEMENT_BYTE_LENGTH * elementCount;
      const buffer = makeBuffer(device, `${label} weights`, byteLength, BufferUsage.STORAGE);
      return { buffer: mapper.keep(buffer), byteOffset: 0, elementCount };
    });
    mapper.encode(encoder, { ...counted, target: copy });
    back.push(() => mapper.encode(encoder, { ...move, source: copy, stays: true }));
  });
  for (const put of back) put();
}

/** Whether the first elements of both, as many as both have, are the same bytes. */
export function startsAlike(a: Pieces, b: Pieces): boolean {
  const count = Math.min(countElements(a), countElements(b));
  let done = 0;
  for (const [k, one] of a.entries()) {
    if (done >= count) break;
    const other = b[k]!;
    if (one.buffer !== other.buffer || one.byteOffset !== other.byteOffset) return false;
    if (one.rows?.byteStride !== other.rows?.byteStride) return false;
    done += Math.min(one.elementCount, other.elementCount);
    if (one.elementCount !== other.elementCount) return done >= count;
  }
  return true;
}

const isNoLonger = ({ source, target }: TensorMove): boolean =>
  countElements(target) <= countElements(source);
