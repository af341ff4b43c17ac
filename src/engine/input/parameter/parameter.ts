import type { Codec } from '../../../codecs/codec.js';
import { type DType, type GradDType, resolveCodec, resolveGradCodec } from '../../../codecs/weight-dtype.js';
import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../../errors.js';
import { copyGiven } from '../../../given.js';
import { type Piece, countElements, isByRows } from '../../../plan/pieces.js';
import { type ResolvedRowOptions, type RowOptions, resolveRowOptions } from './row-options.js';
import {
  type BufferRange,
  type RowRange,
  rejectBrokenRows,
  resolvePiece,
  resolvePieces,
  truncate,
} from './span.js';
import { rejectUnfitWords } from './shared-words.js';
import { resolveShape } from './shape.js';
import {
  type SparseGradient,
  type SparseTable,
  checkRowLength,
  countRows,
  isSparseGradient,
  resolveTable,
} from './sparse-table.js';

/** One tensor to be optimized, in buffers that the caller owns and keeps. */
export interface Parameter extends RowOptions {
  /** Unique name, for state dicts and errors. Default `param0`, `param1`, … by position over all groups. */
  name?: string;
  /**
   * The weights: a buffer, a range of one, or several ranges, in order, for a tensor larger than one buffer.
   * Usage must include STORAGE. Offsets and sizes are multiples of 4 bytes, no other alignment is needed. With `byteStride` and
   * `rowLength`, rows that lie apart, see {@link RowRange}; the state is without gaps. Columns of several parameters may lie
   * in one buffer, those of 2 bytes in one word.
   */
  data: BufferRange | RowRange | readonly (BufferRange | RowRange)[];
  /**
   * The gradients, as `data`; may lie in the same GPUBuffer as `data` but not overlap it. Or those of some rows of a
   * table, see {@link SparseGradient}: then only these rows are read and written, weights and state alike.
   */
  grad: BufferRange | RowRange | readonly (BufferRange | RowRange)[] | SparseGradient;
  /** Elements per row, an integer ≥ 1 that divides the tensor: what a sparse `grad`, and all that is said of rows, goes by. */
  rowLength?: number;
  /**
   * A number per row, u32: rows at 0 are left alone by each step, weights, state and averages bit for bit, and their gradients
   * count neither in the norm nor in the search for NaN. What a rule measures of a tensor it measures of the other rows. It is
   * read at each step. For a dense `grad`, with `rowLength`; usage STORAGE, in another buffer than `data`.
   */
  rowMask?: BufferRange;
  /**
   * The gradients of one micro-batch, as `data`, for a backward pass that overwrites instead of adding:
   * `optimizer.accumulate()` adds them to `grad`. Must not overlap any `data` or `grad`.
   */
  microGrad?: BufferRange | RowRange | readonly (BufferRange | RowRange)[];
  /** Number of elements. Default: all that `data` holds. With it, `data` and `grad` may be longer, after `rebind` too. */
  length?: number;
  /**
   * Lengths of its axes, integers ≥ 1 whose product is the number of elements. Rules of matrices need two or more. For `muon` the first one
   * is the rows, and the others are the columns; for `adafactor` the last two are, and the others count matrices.
   */
  shape?: readonly number[];
  /**
   * Element type of `data`; default `'f32'`. Weights of `'f16'` and `'bf16'` are rounded to the nearest at each step: what moves
   * by less than half of their last digit stays as it is. With an odd number of elements, give `length`: what shares a word with
   * the last one stays as it is.
   */
  dtype?: DType;
  /**
   * Element type of `grad`, and of `microGrad`, whose sums are rounded, too; default `'f32'`. The values of a sparse one are `'f32'` or
   * `'i32'`.
   */
  gradDtype?: GradDType;
  /**
   * Of gradients of `'i32'`: what they were multiplied with before they were rounded to integers; the gradient is integer / gradScale. A
   * finite number > 0 that float32 holds, and its reciprocal, too: a power of two divides exactly. Another one takes kernels of its own.
   * Default 1. The optimizer's `gradScale` is a factor on all gradients besides.
   */
  gradScale?: number;
}

/** A checked parameter: `data` and `grad` hold exactly `elementCount` elements each. */
export interface ResolvedParameter extends ResolvedRowOptions {
  readonly name: string;
  readonly elementCount: number;
  readonly data: readonly Piece<GPUBuffer>[];
  /** Of a sparse gradient, its values. */
  readonly grad: readonly Piece<GPUBuffer>[];
  /** As long as the other two, if present. */
  readonly microGrad?: readonly Piece<GPUBuffer>[];
  readonly sparse?: SparseTable;
  /** Elements per row, if the tensor is one of rows. */
  readonly rowLength?: number;
  readonly shape?: readonly number[];
  /** A number per row. */
  readonly mask?: Piece<GPUBuffer>;
  /** Whether the caller said the length, so that buffers may be longer. */
  readonly hasLength: boolean;
  /** All that the ranges hold that the caller gave: there, rows may come to be. */
  readonly room: {
    readonly data: readonly Piece<GPUBuffer>[];
    readonly grad: readonly Piece<GPUBuffer>[];
    readonly microGrad?: readonly Piece<GPUBuffer>[];
    readonly mask?: Piece<GPUBuffer>;
  };
}

/** Elements that the state of a parameter has room for: as many whole rows as its data has. */
export function stateCapacity({ elementCount, rowLength, room }: ResolvedParameter): number {
  if (rowLength === undefined) return elementCount;
  return Math.max(elementCount, rowLength * Math.floor(countElements(room.data) / rowLength));
}

const PARAMETER_KEYS: readonly string[] = [
  'name',
  'data',
  'grad',
  'microGrad',
  'rowLength',
  'rowMask',
  'lrPerColumn',
  'constraint',
  'length',
  'shape',
  'dtype',
  'gradDtype',
  'gradScale',
] satisfies (keyof Parameter)[];

/**
 * Checks one parameter.
 *
 * @param index position over all groups, for the default name.
 * @throws OptimizerError `invalid-parameter`, naming the parameter and quoting what is wrong.
 */
export function resolveParameter(parameter: Parameter, index: number): ResolvedParameter {
  if (!isRecord(parameter)) {
    fail(`parameter ${index} is ${quote(parameter)}; give { name, data, grad }.`);
  }
  const given = copyGiven(parameter, PARAMETER_KEYS) as Partial<Record<keyof Parameter, unknown>>;
  const { name = `param${index}`, dtype = 'f32', gradDtype = 'f32', length } = given;
  if (typeof name !== 'string' || name === '') {
    fail(`parameter ${index}: name is ${quote(name)}; give a non-empty string.`);
  }
  const what = `parameter ${quote(name)}`;
  rejectUnknownKeys(given, PARAMETER_KEYS, what, 'invalid-parameter');
  const codec = resolveCodec(dtype, 'dtype', what);
  const gradCodec = resolveGradCodec(gradDtype, given.gradScale, what);
  if (isSparseGradient(given.grad)) {
    if (gradCodec && !gradCodec.convert) {
      fail(
        `${what}: gradDtype is ${quote(gradDtype)} with a sparse grad, whose values are "f32" or "i32"; use one of them.`,
      );
    }
    return resolveSparse(given, given.grad, name, what, codec, gradCodec);
  }
  const rowLength = given.rowLength === undefined ? undefined : checkRowLength(given.rowLength, what);
  const resolve = (role: 'data' | 'grad' | 'microGrad') =>
    resolvePieces(given[role], { parameter: name, role }, rowLength, role === 'data' ? codec : gradCodec);
  const pieces = {
    data: resolve('data'),
    grad: resolve('grad'),
    ...(given.microGrad !== undefined && { microGrad: resolve('microGrad') }),
  };
  const elementCount = checkLength(pieces, length, what);
  const rowCount = rowLength === undefined ? 0 : countRows(elementCount, rowLength, what);
  const mask =
    given.rowMask === undefined ? undefined : resolveMask(given.rowMask, rowLength, rowCount, name);
  const resolved: ResolvedParameter = {
    name,
    elementCount,
    data: truncate(pieces.data, elementCount),
    grad: truncate(pieces.grad, elementCount),
    ...(pieces.microGrad && { microGrad: truncate(pieces.microGrad, elementCount) }),
    ...(rowLength !== undefined && { rowLength }),
    ...(mask && { mask: { ...mask, elementCount: rowCount } }),
    ...resolveRowOptions(given, rowLength, what),
    ...resolveShape(given.shape, elementCount, what),
    hasLength: length !== undefined,
    room: { ...pieces, ...(mask && { mask }) },
  };
  rejectUnfitRows(resolved);
  rejectUnfitWords(resolved);
  return resolved;
}

/** The numbers of the rows, and all that the range has beside them. */
function resolveMask(
  given: unknown,
  rowLength: number | undefined,
  rowCount: number,
  name: string,
): Piece<GPUBuffer> {
  const what = `parameter ${quote(name)}: rowMask`;
  if (rowLength === undefined) fail(`${what} is given without rowLength; give the elements per row.`);
  const piece = resolvePiece(given, { parameter: name, role: 'rowMask' });
  if (piece.elementCount < rowCount) {
    fail(`${what} has ${piece.elementCount} numbers for ${rowCount} rows; give one u32 per row.`);
  }
  return piece;
}

/**
 * Checks that rows are whole where they lie, and that their mask can be bound.
 *
 * @throws OptimizerError `invalid-parameter`.
 */
export function rejectUnfitRows(parameter: ResolvedParameter): void {
  const { name, data, grad, microGrad = [], mask, rowLength } = parameter;
  if (rowLength === undefined || !isByRows({ ...parameter, grad: [...grad, ...microGrad] })) return;
  for (const [role, pieces] of Object.entries({ data, grad, microGrad })) {
    rejectBrokenRows(pieces, rowLength, { parameter: name, role });
  }
  if (mask && data.some(({ buffer }) => buffer === mask.buffer)) {
    fail(
      `parameter ${quote(name)}: rowMask lies in the buffer of data, which WebGPU does not let a kernel both read and write; ` +
        'give it a buffer of its own.',
    );
  }
}

/** The elements that all roles have, or as many as the caller says. */
function checkLength(
  pieces: Readonly<Record<string, readonly Piece<GPUBuffer>[]>>,
  length: unknown,
  what: string,
): number {
  const counts = Object.values(pieces).map(countElements);
  const elementCount = length ?? counts[0]!;
  const describe = () =>
    Object.keys(pieces)
      .map((role, k) => `${role} has ${counts[k]} elements`)
      .join(' but ');
  if (length === undefined && counts.some((count) => count !== elementCount)) {
    fail(
      `${what}: ${describe()}; give all the same size, or say which part counts with length or { buffer, offset, size }.`,
    );
  }
  const most = Math.min(...counts);
  if (
    !Number.isInteger(elementCount) ||
    !((elementCount as number) >= 1 && (elementCount as number) <= most)
  ) {
    fail(`${what}: length is ${quote(length)}; give an integer from 1 to ${most} (${describe()}).`);
  }
  return elementCount as number;
}

function resolveSparse(
  given: Partial<Record<keyof Parameter, unknown>>,
  grad: SparseGradient,
  name: string,
  what: string,
  codec: Codec | undefined,
  gradCodec: Codec | undefined,
): ResolvedParameter {
  if (given.microGrad !== undefined) {
    fail(`${what}: microGrad is given with a sparse grad; append the entries of all micro-batches instead.`);
  }
  if (given.rowMask !== undefined) {
    fail(
      `${what}: rowMask is given with a sparse grad, whose indices say which rows are stepped; leave it out.`,
    );
  }
  const { length } = given;
  const rowLength = checkRowLength(given.rowLength, what);
  const { table, data } = resolveTable({ name, data: given.data, grad, rowLength, length, codec, gradCodec });
  const elementCount = table.rowCount * table.rowLength;
  const resolved: ResolvedParameter = {
    name,
    elementCount,
    data: truncate(data, elementCount),
    grad: [table.values],
    sparse: table,
    rowLength,
    ...resolveRowOptions(given, rowLength, what),
    ...resolveShape(given.shape, elementCount, what),
    hasLength: length !== undefined,
    room: { data, grad: [table.values] },
  };
  rejectUnfitWords(resolved);
  return resolved;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
