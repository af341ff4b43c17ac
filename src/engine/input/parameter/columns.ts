import { type Piece, elementByteLengthOf, endOf, isWoven, wordsEndOf } from '../../../plan/pieces.js';

/** Bytes from the first to the last, all of them or those of rows that lie apart. */
export interface ByteRows {
  readonly start: number;
  readonly end: number;
  readonly rows?: { readonly byteLength: number; readonly byteStride: number } | undefined;
}

/** The bytes of a piece: whole words, but for rows that have none of their own. */
export const bytesOfPiece = (piece: Piece<unknown>): ByteRows => ({
  start: piece.byteOffset,
  end: isWoven(piece) ? endOf(piece) : wordsEndOf(piece),
  rows: piece.rows && {
    byteLength: elementByteLengthOf(piece) * piece.rows.length,
    byteStride: piece.rows.byteStride,
  },
});

/** Rows of `width` bytes, `stride` bytes from one to the next. */
interface Column {
  readonly start: number;
  readonly width: number;
  readonly stride: number;
}

/**
 * Whether two ranges share bytes, in a time that does not depend on their rows. Where their ends overlap, rows of one stride
 * meet if they do modulo the stride. Rows of different strides are told apart by what both strides are multiples of: if they
 * may meet somewhere, they are taken to.
 */
export function doMeet(a: ByteRows, b: ByteRows): boolean {
  if (a.end <= b.start || b.end <= a.start) return false;
  const one = columnOf(a, b);
  const other = columnOf(b, a);
  const common = commonDivisor(one.stride, other.stride);
  const distance = (((other.start - one.start) % common) + common) % common;
  return distance < one.width || distance + other.width > common;
}

/** A range without rows is one row, of any stride. */
function columnOf({ start, end, rows }: ByteRows, other: ByteRows): Column {
  if (!rows) return { start, width: end - start, stride: other.rows?.byteStride ?? end - start };
  return { start, width: rows.byteLength, stride: rows.byteStride };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
