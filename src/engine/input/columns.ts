import { ELEMENT_BYTE_LENGTH, type RowSpacing } from '../../plan/pieces.js';

/** Bytes from the first to the last, all of them or those of rows that lie apart. */
export interface ByteRows {
  readonly start: number;
  readonly end: number;
  readonly rows?: RowSpacing;
}

/** Bytes in rows: `count` rows of `width` bytes, `stride` bytes from one to the next. */
interface Column {
  readonly start: number;
  readonly count: number;
  readonly width: number;
  readonly stride: number;
}

/**
 * Whether two ranges share bytes, in a time that does not depend on their rows. Rows of different strides are told apart by what
 * both strides are multiples of: if they may meet somewhere, they are taken to.
 */
export function doMeet(a: ByteRows, b: ByteRows): boolean {
  if (a.end <= b.start || b.end <= a.start) return false;
  const one = columnOf(a, b);
  const other = columnOf(b, a);
  if (one.stride === other.stride) return doRowsMeet(one, other);
  const common = commonDivisor(one.stride, other.stride);
  const distance = (((other.start - one.start) % common) + common) % common;
  return distance < one.width || distance + other.width > common;
}

/** A range without rows is one row, of any stride. */
function columnOf({ start, end, rows }: ByteRows, other: ByteRows): Column {
  if (!rows) return { start, count: 1, width: end - start, stride: other.rows?.byteStride ?? end - start };
  const width = ELEMENT_BYTE_LENGTH * rows.length;
  const count = (end - start - width) / rows.byteStride + 1;
  return { start, count, width, stride: rows.byteStride };
}

/** Whether row i of one meets row j of the other for some i and j, of one stride: i − j decides. */
function doRowsMeet(one: Column, other: Column): boolean {
  const distance = other.start - one.start;
  // Row i begins before the other's row j ends, and ends behind its beginning.
  const least = Math.max(Math.floor((distance - one.width) / one.stride) + 1, 1 - other.count);
  const most = Math.min(Math.ceil((distance + other.width) / one.stride) - 1, one.count - 1);
  return least <= most;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
