import { OptimizerError, quote } from '../../../errors.js';
import * as BufferUsage from '../../../gpu/buffer-usage.js';
import type { Codec } from '../../../codecs/codec.js';
import { type Piece, countElements, elementByteLengthOf, wordsEndOf } from '../../../plan/pieces.js';

/** A stretch of a caller-owned buffer: all of it, or the part that a binding names. Offsets and sizes in bytes. */
export type BufferRange = GPUBuffer | GPUBufferBinding;

/**
 * Rows of a caller-owned buffer that lie apart, as a column of an array of structs does: row r's elements are the `rowLength`
 * numbers at `offset + r·byteStride`. What lies between them is neither read nor written, beside numbers of 2 bytes, too: with `byteStride`, their
 * offset, size and stride are multiples of 2, so that a column may be any of a struct of halves. Such a word is changed by the half that is the
 * column's own, whatever steps the other; so weights and gradients of all parameters may lie in one struct.
 */
export interface RowRange extends GPUBufferBinding {
  /** Bytes from one row to the next: a multiple of 4, or of 2 for numbers of 2 bytes, and no less than a row has. Default that, rows without a gap. */
  byteStride?: number;
}

/** Bytes of a word: of an f32, of an index or a count, of two elements that share one. */
const WORD = 4;

/** A part of a parameter, for errors; words that are put together only when they are needed. */
export interface SpanName {
  /** Name of the parameter. */
  readonly parameter: string;
  readonly role: string;
  /** Which one of a list. */
  readonly index?: number;
}

/**
 * Checks a range of a buffer.
 *
 * @param rowLength elements per row, as far as it is known; without it rows cannot lie apart.
 * @param codec of what is no float32.
 * @throws OptimizerError `invalid-parameter` unless it lies in a GPUBuffer with STORAGE, in multiples of 4 bytes.
 */
export function resolvePiece(
  range: unknown,
  name: SpanName,
  rowLength?: number,
  codec?: Codec,
): Piece<GPUBuffer> {
  const isBinding = typeof range === 'object' && range !== null && 'buffer' in range;
  const buffer = (isBinding ? range.buffer : range) as GPUBuffer;
  // What of a buffer is used; that it is there tells one of whatever realm from anything else. A buffer takes its time to tell.
  const { size: bufferSize, usage, mapAsync } = Object(buffer) as Partial<GPUBuffer>;
  if (typeof bufferSize !== 'number' || typeof usage !== 'number' || typeof mapAsync !== 'function') {
    fail(name, ` is ${quote(range)}; give a GPUBuffer or { buffer, offset, size }.`);
  }
  const { offset, size, byteStride } = (isBinding ? range : {}) as Partial<Record<keyof RowRange, unknown>>;
  const kind = codec && { codec };
  const elementByteLength = elementByteLengthOf({ ...kind });
  const unit = byteStride === undefined ? WORD : Math.min(elementByteLength, WORD);
  const byteOffset = offset === undefined ? 0 : checkBytes(offset, name, 'offset', 0, unit);
  if (byteOffset > bufferSize) {
    fail(name, `: offset ${byteOffset} is beyond the buffer's ${bufferSize} bytes; give a smaller offset.`);
  }
  const byteLength = checkBytes(size ?? bufferSize - byteOffset, name, 'size', unit, unit);
  if (byteOffset + byteLength > bufferSize) {
    fail(
      name,
      `: offset ${byteOffset} + size ${byteLength} is beyond the buffer's ${bufferSize} bytes; give a smaller range.`,
    );
  }
  if ((usage & BufferUsage.STORAGE) === 0) {
    fail(
      name,
      `: buffer ${quote(buffer.label)} has usage 0x${usage.toString(16)}, without STORAGE; ` +
        'create it with GPUBufferUsage.STORAGE.',
    );
  }
  const piece = { buffer, byteOffset, elementCount: byteLength / elementByteLength, ...kind };
  return byteStride === undefined ? piece : spacePiece(piece, byteStride, name, rowLength);
}

/** As many rows as a piece has room for, of the last one no more than its elements. */
function spacePiece(
  piece: Piece<GPUBuffer>,
  byteStride: unknown,
  name: SpanName,
  rowLength: number | undefined,
): Piece<GPUBuffer> {
  if (rowLength === undefined) {
    fail(
      name,
      `: byteStride is ${quote(byteStride)}, but there is no rowLength here; give the elements per row, of data, grad or microGrad.`,
    );
  }
  const size = elementByteLengthOf(piece);
  const rowBytes = size * rowLength;
  const stride = checkBytes(byteStride, name, 'byteStride', rowBytes, Math.min(size, WORD));
  // Rows without a gap are found by their cells only where they begin within a word.
  if (stride === rowBytes && piece.byteOffset % WORD === 0 && (size * piece.elementCount) % WORD === 0)
    return piece;
  const rowCount = Math.floor((size * piece.elementCount - rowBytes) / stride) + 1;
  if (rowCount < 1) {
    fail(name, ` holds ${piece.elementCount} elements, less than a row of ${rowLength}; give a larger size.`);
  }
  const spaced = {
    ...piece,
    elementCount: rowCount * rowLength,
    rows: { length: rowLength, byteStride: stride },
  };
  if (wordsEndOf(spaced) > piece.buffer.size) {
    fail(
      name,
      `: the buffer's ${piece.buffer.size} bytes end within the word of the last element, and GPUs bind whole words; make the buffer's size a multiple of 4.`,
    );
  }
  return spaced;
}

/** @param unit what it is to be a multiple of. */
function checkBytes(value: unknown, name: SpanName, what: string, min: number, unit: number): number {
  if (!Number.isSafeInteger(value) || (value as number) % unit !== 0 || (value as number) < min) {
    fail(name, `: ${what} is ${quote(value)} bytes; give a multiple of ${unit} that is ≥ ${min}.`);
  }
  return value as number;
}

/** As {@link resolvePiece}, of one range or a list of them. */
export function resolvePieces(
  ranges: unknown,
  name: SpanName,
  rowLength?: number,
  codec?: Codec,
): readonly Piece<GPUBuffer>[] {
  if (!Array.isArray(ranges)) return [resolvePiece(ranges, name, rowLength, codec)];
  if (ranges.length === 0) fail(name, ' is an empty array; give at least one buffer.');
  return Array.from(ranges, (range: unknown, index) =>
    resolvePiece(range, { ...name, index }, rowLength, codec),
  );
}

/** The first elements of a list of pieces. */
export function truncate<B>(pieces: readonly Piece<B>[], elementCount: number): readonly Piece<B>[] {
  if (countElements(pieces) === elementCount) return pieces;
  const kept: Piece<B>[] = [];
  let left = elementCount;
  for (const piece of pieces) {
    if (left === 0) break;
    const count = Math.min(left, piece.elementCount);
    kept.push({ ...piece, elementCount: count });
    left -= count;
  }
  return kept;
}

/** @throws OptimizerError `invalid-parameter` unless every range holds whole rows: no row may lie in two of them. */
export function rejectBrokenRows(
  pieces: readonly Piece<GPUBuffer>[],
  rowLength: number,
  name: Omit<SpanName, 'index'>,
): void {
  pieces.forEach(({ elementCount }, index) => {
    if (elementCount % rowLength === 0) return;
    fail(
      { ...name, index },
      ` holds ${elementCount} elements, which are not whole rows of ${rowLength}; cut between rows.`,
    );
  });
}

function fail({ parameter, role, index }: SpanName, complaint: string): never {
  const part = index === undefined ? role : `${role}[${index}]`;
  throw new OptimizerError('invalid-parameter', `parameter ${quote(parameter)}: ${part}${complaint}`);
}
