import { OptimizerError, quote } from '../../errors.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type Piece, countElements } from '../../plan/pieces.js';

/** A stretch of a caller-owned buffer: all of it, or the part that a binding names. Offsets and sizes in bytes. */
export type BufferRange = GPUBuffer | GPUBufferBinding;

/** Bytes of an element: of an f32, and of an index or a count. */
export const BYTES_PER_ELEMENT = 4;

/** A part of a parameter, for errors; words that are put together only when they are needed. */
export interface SpanName {
  /** Name of the parameter. */
  readonly parameter: string;
  readonly role: string;
  /** Which one of a list. */
  readonly index?: number;
}

/** What of a buffer is used; that it is there tells a buffer of whatever realm from anything else. */
function isBuffer(value: unknown): value is GPUBuffer {
  if (typeof value !== 'object' || value === null) return false;
  const { size, usage, mapAsync } = value as Partial<GPUBuffer>;
  return typeof size === 'number' && typeof usage === 'number' && typeof mapAsync === 'function';
}

/**
 * Checks a range of a buffer.
 *
 * @throws OptimizerError `invalid-parameter` unless it lies in a GPUBuffer with STORAGE, in multiples of 4 bytes.
 */
export function resolvePiece(range: unknown, name: SpanName): Piece<GPUBuffer> {
  const isBinding = typeof range === 'object' && range !== null && 'buffer' in range;
  const buffer = isBinding ? range.buffer : range;
  if (!isBuffer(buffer)) {
    fail(name, ` is ${quote(range)}; give a GPUBuffer or { buffer, offset, size }.`);
  }
  const { offset, size } = (isBinding ? range : {}) as { offset?: unknown; size?: unknown };
  const bufferSize = buffer.size;
  const byteOffset = offset === undefined ? 0 : checkBytes(offset, name, 'offset', 0);
  if (byteOffset > bufferSize) {
    fail(name, `: offset ${byteOffset} is beyond the buffer's ${bufferSize} bytes; give a smaller offset.`);
  }
  const byteLength = checkBytes(size ?? bufferSize - byteOffset, name, 'size', BYTES_PER_ELEMENT);
  if (byteOffset + byteLength > bufferSize) {
    fail(
      name,
      `: offset ${byteOffset} + size ${byteLength} is beyond the buffer's ${bufferSize} bytes; give a smaller range.`,
    );
  }
  const { usage } = buffer;
  if ((usage & BufferUsage.STORAGE) === 0) {
    fail(
      name,
      `: buffer ${quote(buffer.label)} has usage 0x${usage.toString(16)}, without STORAGE; ` +
        'create it with GPUBufferUsage.STORAGE.',
    );
  }
  return { buffer, byteOffset, elementCount: byteLength / BYTES_PER_ELEMENT };
}

function checkBytes(value: unknown, name: SpanName, what: string, min: number): number {
  if (
    !Number.isSafeInteger(value) ||
    (value as number) % BYTES_PER_ELEMENT !== 0 ||
    (value as number) < min
  ) {
    fail(name, `: ${what} is ${quote(value)} bytes; give a multiple of 4 that is ≥ ${min}.`);
  }
  return value as number;
}

/** As {@link resolvePiece}, of one range or a list of them. */
export function resolvePieces(ranges: unknown, name: SpanName): readonly Piece<GPUBuffer>[] {
  if (!Array.isArray(ranges)) return [resolvePiece(ranges, name)];
  if (ranges.length === 0) fail(name, ' is an empty array; give at least one buffer.');
  return Array.from(ranges, (range: unknown, index) => resolvePiece(range, { ...name, index }));
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

function fail({ parameter, role, index }: SpanName, complaint: string): never {
  const part = index === undefined ? role : `${role}[${index}]`;
  throw new OptimizerError('invalid-parameter', `parameter ${quote(parameter)}: ${part}${complaint}`);
}
