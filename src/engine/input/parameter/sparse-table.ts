import type { Codec } from '../../../codecs/codec.js';
import { OptimizerError, quote, rejectUnknownKeys } from '../../../errors.js';
import { copyGiven } from '../../../given.js';
import { type Piece, wordsEndOf } from '../../../plan/pieces.js';
import { type Rule, tensorOf } from '../../../rules/rule.js';
import { type BufferRange, resolvePiece, resolvePieces, truncate } from './span.js';

/**
 * The gradient of some rows of a table, as `torch.sparse` (uncoalesced) and `tf.IndexedSlices` hold it: entry k adds
 * `values[k·rowLength …]` to row `indices[k]`. A row may be named any number of times, and its sum has the same bits on
 * every run: entries are added in order of their positions, one after the other up to 32; of more, each 32 are, then the
 * sums of each 32 of these, and so on.
 *
 * Lazy, as `torch.optim.SparseAdam`: rows that no entry names keep weights and state, their moments do not decay, and no
 * weight decay is applied to them. A rule's t, and with it bias corrections and first-step rules, counts the
 * optimizer's steps, not a row's. A row with entries that sum to zero is stepped.
 */
export interface SparseGradient {
  /**
   * Row numbers, one u32 per entry; usage STORAGE. Entries whose row is not in the table are ignored. A range must be a
   * multiple of 4 bytes, no other alignment is needed; the same goes for the other two.
   */
  indices: BufferRange;
  /** `rowLength` f32 per entry, or i32 by the parameter's `gradDtype`; usage STORAGE, and COPY_DST for `zeroGrad`. */
  values: BufferRange;
  /** One u32: how many of the entries, from the first, count in this step; more than there are means all. Default all. */
  count?: BufferRange;
}

/** A checked sparse gradient and the table that it belongs to. */
export interface SparseTable {
  /** Elements per row. */
  readonly rowLength: number;
  readonly rowCount: number;
  /** Bytes from the table's first element to its last: more than it has where its rows lie apart. */
  readonly byteLength: number;
  /** Entries that the buffers have room for. */
  readonly entryCount: number;
  readonly indices: Piece<GPUBuffer>;
  readonly values: Piece<GPUBuffer>;
  readonly count?: Piece<GPUBuffer>;
}

/** What of a parameter belongs to its sparse gradient, unchecked. */
export interface GivenTable {
  readonly name: string;
  readonly data: unknown;
  readonly grad: SparseGradient;
  readonly rowLength: number;
  /** Of `data`, if it is no float32. */
  readonly codec: Codec | undefined;
  /** Of the values, likewise. */
  readonly gradCodec: Codec | undefined;
  /** Elements of the table, if not all that `data` holds. */
  readonly length: unknown;
}

const KEYS = ['indices', 'values', 'count'] satisfies (keyof SparseGradient)[];

/** Whether a parameter's `grad` is meant as a sparse one. */
export function isSparseGradient(grad: unknown): grad is SparseGradient {
  // Every array has a method `values`.
  if (typeof grad !== 'object' || grad === null || Array.isArray(grad)) return false;
  return 'indices' in grad || 'values' in grad;
}

/**
 * Checks that table and gradient fit each other.
 *
 * @throws OptimizerError `invalid-parameter`.
 */
export function resolveTable(given: GivenTable): {
  readonly table: SparseTable;
  readonly data: readonly Piece<GPUBuffer>[];
} {
  const { name, length } = given;
  const what = `parameter ${quote(name)}`;
  const grad = copyGiven(given.grad as unknown as Readonly<Record<string, unknown>>, KEYS);
  rejectUnknownKeys(grad, KEYS, `${what}: grad`, 'invalid-parameter');
  const { rowLength } = given;
  const data = resolvePieces(given.data, { parameter: name, role: 'data' }, rowLength, given.codec);
  const piece = (role: string, codec?: Codec) =>
    resolvePiece(grad[role], { parameter: name, role: `grad.${role}` }, undefined, codec);
  const [indices, values] = [piece('indices'), piece('values', given.gradCodec)];
  const count = grad['count'] === undefined ? undefined : piece('count');
  if (data.length > 1) {
    fail(
      `${what}: data is an array of ${data.length} ranges; a table with a sparse gradient lies in one, so give one.`,
    );
  }
  const held = data[0]!.elementCount;
  const elementCount = length ?? held;
  if (
    !Number.isInteger(elementCount) ||
    !((elementCount as number) >= 1 && (elementCount as number) <= held)
  ) {
    fail(`${what}: length is ${quote(length)}; give an integer from 1 to ${held}, the elements of data.`);
  }
  const rowCount = countRows(elementCount as number, rowLength, what);
  const entryCount = indices.elementCount;
  if (values.elementCount !== entryCount * rowLength) {
    fail(
      `${what}: grad.indices has ${entryCount} entries but grad.values has ${values.elementCount} elements; ` +
        `give ${entryCount} × ${rowLength} elements, or { buffer, offset, size }.`,
    );
  }
  const [{ byteOffset }] = data as [Piece<GPUBuffer>];
  const byteLength = wordsEndOf(truncate(data, elementCount as number)[0]!) - byteOffset;
  return {
    table: { rowLength, rowCount, byteLength, entryCount, indices, values, ...(count && { count }) },
    data,
  };
}

/** @throws OptimizerError `invalid-parameter` unless it is an integer ≥ 1. */
export function checkRowLength(rowLength: unknown, what: string): number {
  if (!Number.isSafeInteger(rowLength) || (rowLength as number) < 1) {
    fail(
      `${what}: rowLength is ${quote(rowLength)}; give the elements per row, an integer ≥ 1, which a sparse gradient needs.`,
    );
  }
  return rowLength as number;
}

/**
 * The rows of a tensor.
 *
 * @throws OptimizerError `invalid-parameter` unless they are whole.
 */
export function countRows(elementCount: number, rowLength: number, what: string): number {
  const rowCount = elementCount / rowLength;
  if (Number.isInteger(rowCount)) return rowCount;
  return fail(
    `${what}: ${elementCount} elements are not a whole number of rows of ${quote(rowLength)}; ` +
      'give another rowLength, or, on the GPU, say which part of data counts with length.',
  );
}

/**
 * @throws OptimizerError `invalid-config` if the rule, or an average that is taken with it, touches all weights of a
 *   table with a sparse gradient.
 */
export function rejectWholeTable(rule: Rule, parameterName: string): void {
  rejectAveragedTable(rule, parameterName);
  rejectMeasuredTable(rule, parameterName);
}

function rejectAveragedTable({ name: ruleName, averages, declaration }: Rule, name: string): void {
  const average = declaration.evaluation ? ruleName : averages?.[0]?.declaration.name;
  if (average === undefined) return;
  const remedy = declaration.evaluation ? 'use another rule' : `leave ${average} out`;
  throw new OptimizerError(
    'invalid-config',
    `${declaration.evaluation ? `the average of ${average}` : average} is taken of all weights at every step, but ` +
      `parameter ${quote(name)} has a sparse gradient, whose step touches only the rows it names; ${remedy}, or give ` +
      'a dense gradient.',
  );
}

function rejectMeasuredTable(rule: Rule, name: string): void {
  if (!tensorOf(rule)) return;
  throw new OptimizerError(
    'invalid-config',
    `${rule.name} measures all weights and gradients of a tensor, but parameter ${quote(name)} has a sparse gradient, whose ` +
      'step touches only the rows it names; use a rule without norms per tensor, or give a dense gradient.',
  );
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
