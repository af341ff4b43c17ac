import { OptimizerError, quote } from '../errors.js';

/** A stretch of a caller-owned buffer: all of it, or the part that a binding names. Offsets and sizes in bytes. */
export type BufferRange = GPUBuffer | GPUBufferBinding;

/** A checked range of a buffer. */
export interface Span {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

function isBuffer(value: unknown): value is GPUBuffer {
  return typeof GPUBuffer === 'function' && value instanceof GPUBuffer;
}

/**
 * Checks a range of a buffer.
 *
 * @param what the range, for errors.
 * @throws OptimizerError `invalid-parameter` unless it lies in a GPUBuffer with STORAGE, in multiples of 4 bytes.
 */
export function resolveSpan(range: unknown, what: string): Span {
  const isBinding = typeof range === 'object' && range !== null && 'buffer' in range;
  const buffer = isBinding ? range.buffer : range;
  if (!isBuffer(buffer)) {
    fail(`${what} is ${quote(range)}; give a GPUBuffer or { buffer, offset, size }.`);
  }
  const { offset = 0, size } = (isBinding ? range : {}) as { offset?: unknown; size?: unknown };
  const byteOffset = checkBytes(offset, `${what}: offset`, 0);
  if (byteOffset > buffer.size) {
    fail(`${what}: offset ${byteOffset} is beyond the buffer's ${buffer.size} bytes; give a smaller offset.`);
  }
  const byteLength = checkBytes(size ?? buffer.size - byteOffset, `${what}: size`, 4);
  if (byteOffset + byteLength > buffer.size) {
    fail(
      `${what}: offset ${byteOffset} + size ${byteLength} is beyond the buffer's ${buffer.size} bytes; ` +
        'give a smaller range.',
    );
  }
  if ((buffer.usage & GPUBufferUsage.STORAGE) === 0) {
    fail(
      `${what}: buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without STORAGE; ` +
        'create it with GPUBufferUsage.STORAGE.',
    );
  }
  return { buffer, byteOffset, byteLength };
}

function checkBytes(value: unknown, what: string, min: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value % 4 !== 0 || value < min) {
    fail(`${what} is ${quote(value)} bytes; give a multiple of 4 that is ≥ ${min}.`);
  }
  return value;
}

/** As {@link resolveSpan}, of one range or a list of them. */
export function resolveSpans(ranges: unknown, what: string): Span[] {
  if (!Array.isArray(ranges)) return [resolveSpan(ranges, what)];
  if (ranges.length === 0) fail(`${what} is an empty array; give at least one buffer.`);
  return ranges.map((range, k) => resolveSpan(range, `${what}[${k}]`));
}

/** The first `byteLength` bytes of a list of spans. */
export function truncate(spans: readonly Span[], byteLength: number): Span[] {
  const kept: Span[] = [];
  let left = byteLength;
  for (const span of spans) {
    if (left === 0) break;
    const length = Math.min(left, span.byteLength);
    kept.push({ ...span, byteLength: length });
    left -= length;
  }
  return kept;
}

/** Bytes of a list of spans. */
export const totalByteLength = (spans: readonly Span[]): number =>
  spans.reduce((sum, span) => sum + span.byteLength, 0);

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
