import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import type { Mutable } from '../../mutable.js';
import { type Piece, areSamePieces, countElements } from '../../plan/pieces.js';
import type { NameTable } from './names.js';
import { type ResolvedParameter, rejectUnfitRows } from './parameter/parameter.js';
import { rejectUnfitWords } from './parameter/shared-words.js';
import { type BufferRange, type RowRange, resolvePieces, truncate } from './parameter/span.js';

/** Other buffers for a parameter, of the same length; what is not given stays. */
export interface BufferChange {
  /** The weights, as in a parameter. The optimizer state goes on with them. */
  data?: BufferRange | RowRange | readonly (BufferRange | RowRange)[];
  /** The gradients, as in a parameter. */
  grad?: BufferRange | RowRange | readonly (BufferRange | RowRange)[];
}

const CHANGE_KEYS = ['data', 'grad'] satisfies (keyof BufferChange)[];

/** What `rebind` changes of a parameter. */
export interface Replacement<T> {
  readonly entry: T;
  readonly parameter: ResolvedParameter;
}

/**
 * Checks the argument of `rebind`.
 *
 * @param table what there is, by name.
 * @returns the parameters that lie elsewhere then, of those named.
 * @throws OptimizerError `invalid-parameter` naming the parameter.
 */
export function resolveChanges<T extends { readonly parameter: ResolvedParameter }>(
  changes: unknown,
  table: NameTable<T>,
): Replacement<T>[] {
  if (!isRecord(changes)) {
    fail(`rebind(): ${quote(changes)} is no record of changes; give { name: { data, grad } }.`);
  }
  const replacements: Replacement<T>[] = [];
  for (const name of Object.keys(changes)) {
    const entry = table.find(name, 'rebind()');
    const change = changes[name];
    if (change === undefined) continue;
    const parameter = replacePieces(entry.parameter, change);
    if (parameter !== entry.parameter) replacements.push({ entry, parameter });
  }
  return replacements;
}

/** Thousands of changes come with every step of a framework, so nothing is made here that only an error needs. */
function replacePieces(parameter: ResolvedParameter, change: unknown): ResolvedParameter {
  const what = () => `rebind(): parameter ${quote(parameter.name)}`;
  if (!isRecord(change)) fail(`${what()}: ${quote(change)} is no change; give { data, grad }.`);
  for (const key in change) {
    if (key !== 'data' && key !== 'grad')
      rejectUnknownKeys({ [key]: change[key] }, CHANGE_KEYS, what(), 'invalid-parameter');
  }
  if (parameter.microGrad) {
    fail(`${what()} has a microGrad, which is added to its present gradients; it cannot be rebound.`);
  }
  if (parameter.sparse) fail(`${what()} has sparse gradients; it cannot be rebound.`);
  const rebound: Mutable<ResolvedParameter> = { ...parameter };
  const room = { ...parameter.room };
  rebound.data = replace(parameter, 'data', change['data'], room);
  rebound.grad = replace(parameter, 'grad', change['grad'], room);
  if (rebound.data === parameter.data && rebound.grad === parameter.grad) return parameter;
  rebound.room = room;
  rejectUnfitRows(rebound);
  rejectUnfitWords(rebound);
  return rebound;
}

/**
 * The pieces of a role; the same list if they lie where they did.
 *
 * @param room is told of all that the ranges hold.
 */
function replace(
  parameter: ResolvedParameter,
  role: 'data' | 'grad',
  ranges: unknown,
  room: Mutable<ResolvedParameter['room']>,
): readonly Piece<GPUBuffer>[] {
  const before = parameter[role];
  if (ranges === undefined) return before;
  const { name, elementCount, hasLength, rowLength } = parameter;
  const resolved = resolvePieces(ranges, { parameter: name, role }, rowLength, before[0]!.codec);
  const held = countElements(resolved);
  if (held < elementCount || (held > elementCount && !hasLength)) {
    fail(
      `rebind(): parameter ${quote(name)}: ${role} has ${held} elements, but the parameter has ${elementCount}; rebind() ` +
        `changes no lengths: give { buffer, offset, size } of ${elementCount} elements, or create a new optimizer of ` +
        'another length.',
    );
  }
  room[role] = resolved;
  const pieces = truncate(resolved, elementCount);
  return areSamePieces(pieces, before) ? before : pieces;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
