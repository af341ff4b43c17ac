import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import { type BufferRange, type Span, resolveSpan, resolveSpans, totalByteLength, truncate } from './span.js';
import {
  type SparseGradient,
  type SparseTable,
  checkSparseKeys,
  isSparseGradient,
  resolveTable,
} from './sparse/table.js';

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
