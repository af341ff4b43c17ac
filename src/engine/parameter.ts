import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import {
  type SparseGradient,
  type SparseTable,
  checkSparseKeys,
  isSparseGradient,
  resolveTable,
} from './sparse/table.js';

/** A stretch of a caller-owned buffer: all of it, or the part that a binding names. Offsets and sizes in bytes. */
export type BufferRange = GPUBuffer | GPUBufferBinding;

/** Element type of a parameter or gradient. */
export type DType = 'f32';

/** One tensor to be optimized, in buffers that the caller owns and keeps. */
export interface Parameter {
  /** Unique name, for state dicts and errors. Default `param0`, `param1`, … by position over all groups. */
  name?: string;
  /**
   * The weights: a buffer, a range of one, or several ranges, in order, for a tensor larger than one buffer.
   * Usage must include STORAGE. Offsets and sizes are multiples of 4 bytes, no other alignment is needed.
   */
  data: BufferRange | readonly BufferRange[];
  /**
   * The gradients, as `data`; may lie in the same GPUBuffer as `data` but not overlap it. Or those of some rows of a
   * table, see {@link SparseGradient}: then only these rows are read and written, weights and state alike.
   */
  grad: BufferRange | readonly BufferRange[] | SparseGradient;
  /** Elements per row of the table, ≥ 1; for a sparse `grad`, and only there. */
  rowLength?: number;
  /**
   * The gradients of one micro-batch, as `data`, for a backward pass that overwrites instead of adding:
   * `optimizer.accumulate()` adds them to `grad`. Must not overlap any `data` or `grad`.
   */
  microGrad?: BufferRange | readonly BufferRange[];
  /** Number of elements. Default: all that `data` holds. With it, `data` and `grad` may be longer. */
  length?: number;
  /** Element type of `data`. Default and only choice so far: `'f32'`. */
  dtype?: DType;
  /** Element type of `grad`. Default and only choice so far: `'f32'`. */
  gradDtype?: DType;
}

/** A checked range of a buffer. */
export interface Span {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A checked parameter: `data` and `grad` spans hold exactly `elementCount` elements each. */
export interface ResolvedParameter {
  readonly name: string;
  readonly elementCount: number;
  readonly data: readonly Span[];
  readonly grad: readonly Span[];
  /** As long as the other two, if present. */
  readonly microGrad?: readonly Span[];
  /** If the gradient is sparse; `grad` is its values then, until it is the sums of rows that `namedRows` lists. */
  readonly sparse?: SparseTable;
  /** Per entry of a sparse gradient, the row that the sum in `grad` belongs to. */
  readonly namedRows?: GPUBuffer;
}

const BYTES_PER_ELEMENT = 4;
const PARAMETER_KEYS: readonly string[] = [
  'name',
  'data',
  'grad',
  'microGrad',
  'rowLength',
  'length',
  'dtype',
  'gradDtype',
] satisfies (keyof Parameter)[];

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}

function isBuffer(value: unknown): value is GPUBuffer {
  return typeof GPUBuffer === 'function' && value instanceof GPUBuffer;
}

function resolveSpan(range: unknown, what: string): Span {
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

function resolveSpans(ranges: unknown, what: string): Span[] {
  if (!Array.isArray(ranges)) return [resolveSpan(ranges, what)];
  if (ranges.length === 0) fail(`${what} is an empty array; give at least one buffer.`);
  return ranges.map((range, k) => resolveSpan(range, `${what}[${k}]`));
}

/** The first `byteLength` bytes of a list of spans. */
function truncate(spans: readonly Span[], byteLength: number): Span[] {
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

const totalByteLength = (spans: readonly Span[]): number =>
  spans.reduce((sum, span) => sum + span.byteLength, 0);

/**
 * Checks one parameter.
 *
 * @param index position over all groups, for the default name.
 * @throws OptimizerError `invalid-parameter`, naming the parameter and quoting what is wrong.
 */
export function resolveParameter(parameter: Parameter, index: number): ResolvedParameter {
  if (typeof parameter !== 'object' || parameter === null) {
    fail(`parameter ${index} is ${quote(parameter)}; give { name, data, grad }.`);
  }
  const { name = `param${index}`, dtype = 'f32', gradDtype = 'f32', length } = parameter;
  if (typeof name !== 'string' || name === '') {
    fail(`parameter ${index}: name is ${quote(name)}; give a non-empty string.`);
  }
  const what = `parameter ${quote(name)}`;
  rejectUnknownKeys(parameter, PARAMETER_KEYS, what, 'invalid-parameter');
  for (const [key, value] of Object.entries({ dtype, gradDtype })) {
    if (value !== 'f32') fail(`${what}: ${key} is ${quote(value)}; this version knows 'f32' only.`);
  }
  if (isSparseGradient(parameter.grad)) return resolveSparse(parameter, parameter.grad, name, what);
  if (parameter.rowLength !== undefined) {
    fail(
      `${what}: rowLength is ${quote(parameter.rowLength)}, but grad is not { indices, values }; leave it out.`,
    );
  }
  const roles = [
    'data',
    'grad',
    ...(parameter.microGrad === undefined ? [] : ['microGrad' as const]),
  ] as const;
  const spans = roles.map((role) => resolveSpans(parameter[role], `${what}: ${role}`));
  const lengths = spans.map((list) => totalByteLength(list) / BYTES_PER_ELEMENT);
  const elementCount = length ?? lengths[0]!;
  const described = roles.map((role, k) => `${role} has ${lengths[k]} elements`).join(' but ');
  if (length === undefined && lengths.some((other) => other !== elementCount)) {
    fail(
      `${what}: ${described}; give all the same size, or say which part counts with length or { buffer, offset, size }.`,
    );
  }
  const most = Math.min(...lengths);
  if (!Number.isInteger(elementCount) || elementCount < 1 || elementCount > most) {
    fail(`${what}: length is ${quote(length)}; give an integer from 1 to ${most} (${described}).`);
  }
  const [data, grad, microGrad] = spans.map((list) => truncate(list, elementCount * BYTES_PER_ELEMENT));
  return { name, elementCount, data: data!, grad: grad!, ...(microGrad ? { microGrad } : {}) };
}

function resolveSparse(
  parameter: Parameter,
  grad: SparseGradient,
  name: string,
  what: string,
): ResolvedParameter {
  checkSparseKeys(grad, what);
  if (parameter.microGrad !== undefined) {
    fail(`${what}: microGrad is given with a sparse grad; append the entries of all micro-batches instead.`);
  }
  const data = resolveSpans(parameter.data, `${what}: data`);
  const sparse = resolveTable(
    {
      data,
      indices: resolveSpan(grad.indices, `${what}: grad.indices`),
      values: resolveSpan(grad.values, `${what}: grad.values`),
      ...(grad.count !== undefined && { count: resolveSpan(grad.count, `${what}: grad.count`) }),
      rowLength: parameter.rowLength,
      length: parameter.length,
    },
    what,
  );
  const elementCount = sparse.rowCount * sparse.rowLength;
  return {
    name,
    elementCount,
    data: truncate(data, elementCount * BYTES_PER_ELEMENT),
    grad: [sparse.values],
    sparse,
  };
}

/** All spans of a parameter, by role. */
function spansByRole({ data, grad, microGrad = [], sparse }: ResolvedParameter): [string, readonly Span[]][] {
  const { indices, count } = sparse ?? {};
  return [
    ['data', data],
    ['grad', grad],
    ['microGrad', microGrad],
    ['grad.indices', indices ? [indices] : []],
    ['grad.count', count ? [count] : []],
  ];
}

/**
 * Throws if two parameters have one name, or if anything that is written (weights, and gradients that are
 * accumulated into) shares bytes with anything else. Gradients that are only read may share bytes.
 */
export function rejectConflicts(parameters: readonly ResolvedParameter[]): void {
  const names = new Set<string>();
  const spansOfBuffer = new Map<
    GPUBuffer,
    { start: number; end: number; what: string; isWritten: boolean }[]
  >();
  for (const parameter of parameters) {
    const { name } = parameter;
    if (names.has(name)) fail(`two parameters are named ${quote(name)}; give each its own name.`);
    names.add(name);
    for (const [role, list] of spansByRole(parameter)) {
      const isWritten = role === 'data' || (role === 'grad' && parameter.microGrad !== undefined);
      for (const { buffer, byteOffset, byteLength } of list) {
        const spans = spansOfBuffer.get(buffer) ?? [];
        spansOfBuffer.set(buffer, spans);
        const what = `${role} of parameter ${quote(name)}`;
        spans.push({ start: byteOffset, end: byteOffset + byteLength, what, isWritten });
      }
    }
  }
  for (const spans of spansOfBuffer.values()) {
    spans.sort((a, b) => a.start - b.start);
    // Of all spans that began earlier, the ones that reach furthest decide; what is read matters to what is written only.
    let furthest: (typeof spans)[number] | undefined;
    let furthestWritten: (typeof spans)[number] | undefined;
    for (const span of spans) {
      const other = span.isWritten ? furthest : furthestWritten;
      if (other && other.end > span.start) {
        fail(
          `${span.what} (bytes ${span.start} to ${span.end}) overlaps ${other.what} ` +
            `(bytes ${other.start} to ${other.end}) in one buffer; give each its own bytes.`,
        );
      }
      if (!furthest || span.end > furthest.end) furthest = span;
      if (span.isWritten && (!furthestWritten || span.end > furthestWritten.end)) furthestWritten = span;
    }
  }
}
