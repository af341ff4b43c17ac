import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven, tagOf } from '../../given.js';
import { type Piece, countElements } from '../../plan/pieces.js';
import { bytesOfPiece } from './parameter/columns.js';
import { FRESH_ROW } from '../../stages/rows/map-rows.js';
import type { NameTable } from './names.js';
import { findNames } from './names.js';
import { type Parameter, type ResolvedParameter, rejectUnfitRows } from './parameter/parameter.js';
import { rejectUnfitWords } from './parameter/shared-words.js';
import { type BufferRange, type RowRange, resolvePiece, resolvePieces, truncate } from './parameter/span.js';
import { type SparseGradient, isSparseGradient, resolveTable } from './parameter/sparse-table.js';

/** What `mapRows` is told. */
export interface RowMapping {
  /**
   * Per row that there will be, the row that it was; 0xFFFFFFFF for a fresh one. A buffer has usage STORAGE, and is read on the GPU: there,
   * entries that are no row are fresh ones, and counted in `stats().strayRows`.
   */
  from: Uint32Array | BufferRange;
  /** Rows that there will be, ≥ 1. */
  rowCount: number;
  /**
   * Per name, where the weights are to lie; default where they are, in the range that was given for them last. A fresh row's weights
   * are what is there.
   */
  data?: Readonly<Record<string, BufferRange | RowRange | readonly (BufferRange | RowRange)[]>>;
  /** Per name, where the gradients are to lie, as in a parameter; default where they are. */
  grad?: Readonly<Record<string, Required<Parameter>['grad']>>;
  /** Per name, where the gradients of micro-batches are to lie, of parameters that have such; default where they are. */
  microGrad?: Readonly<Record<string, Required<Parameter>['microGrad']>>;
  /** Per name, where the numbers of the rows are to lie, of parameters that have a `rowMask`; default where they are. */
  rowMask?: Readonly<Record<string, BufferRange>>;
}

const PLACES = ['data', 'grad', 'microGrad', 'rowMask'] as const satisfies (keyof RowMapping)[];
const KEYS = ['from', 'rowCount', ...PLACES] satisfies (keyof RowMapping)[];

/** A tensor whose rows move, and what it will be. */
export interface MappedTensor<T> {
  readonly entry: T;
  readonly parameter: ResolvedParameter;
}

/** What lies in rows, of a gradient that is not sparse. */
type DenseRole = 'data' | 'grad' | 'microGrad';
/** Where a parameter is to lie, as it was given. */
type GivenPlaces = Readonly<Record<(typeof PLACES)[number], unknown>>;

/** A checked mapping. */
export interface ResolvedMapping<T> {
  readonly tensors: readonly MappedTensor<T>[];
  readonly from: Uint32Array<ArrayBuffer> | Piece<GPUBuffer>;
  readonly rowCount: number;
}

/**
 * Checks the arguments of `mapRows`.
 *
 * @param table what there is, by name.
 * @throws OptimizerError `invalid-parameter` or `invalid-config`, quoting what is wrong.
 */
export function resolveMapping<T extends { readonly parameter: ResolvedParameter }>(
  names: unknown,
  mapping: unknown,
  table: NameTable<T>,
): ResolvedMapping<T> {
  const entries = [...findNames(names, table, 'mapRows()', 'names')];
  if (entries.length === 0) fail('mapRows(): no name is given; give those of parameters with a rowLength.');
  if (!isRecord(mapping)) fail(`mapRows(): ${quote(mapping)} is no mapping; give { from, rowCount }.`);
  const given = copyGiven(mapping, KEYS);
  rejectUnknownKeys(given, KEYS, 'mapRows()', 'invalid-parameter');
  const { rowCount } = given;
  if (!Number.isSafeInteger(rowCount) || (rowCount as number) < 1 || (rowCount as number) >= FRESH_ROW) {
    fail(`mapRows(): rowCount is ${quote(rowCount)}; give the rows that there will be, an integer ≥ 1.`);
  }
  const known = entries.map(({ parameter }) => parameter.name);
  const ofNames = (key: keyof GivenPlaces): Readonly<Record<string, unknown>> => {
    const record = given[key] ?? {};
    if (!isRecord(record)) fail(`mapRows(): ${key} is ${quote(record)}; give { name: buffer }.`);
    rejectUnknownKeys(record, known, `mapRows(): ${key}`, 'invalid-parameter');
    return copyGiven(record);
  };
  const places = PLACES.map((key) => [key, ofNames(key)] as const);
  const rowsBefore = entries.map(({ parameter }) => rowCountOf(parameter));
  const other = rowsBefore.findIndex((count) => count !== rowsBefore[0]);
  if (other > 0) {
    fail(
      `mapRows(): parameter ${quote(known[0])} has ${rowsBefore[0]} rows but ${quote(known[other])} has ${rowsBefore[other]}; ` +
        'map those of the same rows together, and others by themselves.',
    );
  }
  const from = resolveEntries(given['from'], rowCount as number, rowsBefore[0]!);
  const tensors = entries.map((entry) => {
    const { name } = entry.parameter;
    const lies = Object.fromEntries(places.map(([key, ofName]) => [key, ofName[name]]));
    return { entry, parameter: resized(entry.parameter, rowCount as number, lies as GivenPlaces) };
  });
  return { tensors, from, rowCount: rowCount as number };
}

/** Rows of a parameter. @throws OptimizerError `invalid-parameter` if it has none. */
export function rowCountOf({ name, rowLength, elementCount }: ResolvedParameter): number {
  if (rowLength !== undefined) return elementCount / rowLength;
  return fail(`mapRows(): parameter ${quote(name)} has no rows; give it a rowLength at creation.`);
}

function resolveEntries(from: unknown, rowCount: number, rowsBefore: number): ResolvedMapping<never>['from'] {
  if (tagOf(from) === '[object Uint32Array]') {
    const entries = Uint32Array.from(from as Uint32Array);
    if (entries.length !== rowCount) {
      fail(
        `mapRows(): from has ${entries.length} entries but rowCount is ${rowCount}; give an entry per row.`,
      );
    }
    const stray = entries.findIndex((entry) => entry >= rowsBefore && entry !== FRESH_ROW);
    if (stray < 0) return entries;
    fail(
      `mapRows(): from[${stray}] is ${entries[stray]} but there are ${rowsBefore} rows; give a row below that, or 0xFFFFFFFF ` +
        'for a fresh one.',
    );
  }
  if (typeof from !== 'object' || from === null || ArrayBuffer.isView(from) || Array.isArray(from)) {
    fail(`mapRows(): from is ${quote(from)}; give a Uint32Array, or a GPUBuffer of u32.`);
  }
  const piece = resolvePiece(from, { parameter: 'mapRows()', role: 'from' });
  if (piece.elementCount >= rowCount) return { ...piece, elementCount: rowCount };
  return fail(
    `mapRows(): from has ${piece.elementCount} entries but rowCount is ${rowCount}; give an entry per row.`,
  );
}

/** A parameter with another number of rows, where it is to lie. */
function resized(
  before: ResolvedParameter,
  rowCount: number,
  { data, grad, microGrad, rowMask }: GivenPlaces,
): ResolvedParameter {
  // Its axes have other lengths then, and nothing of it goes by them.
  const { shape: _shape, ...rest } = before;
  const { name, sparse } = before;
  const rowLength = before.rowLength!;
  const elementCount = rowCount * rowLength;
  for (const [key, given, own] of [
    ['microGrad', microGrad, before.microGrad],
    ['rowMask', rowMask, before.mask],
  ] as const) {
    if (given !== undefined && !own)
      fail(`mapRows(): ${key} is given for parameter ${quote(name)}, which has none; leave it out.`);
  }
  const enough = (role: string, room: readonly Piece<GPUBuffer>[], length: number) => {
    const held = countElements(room);
    if (held >= rowCount * length) return room;
    return fail(
      `mapRows(): ${role} of parameter ${quote(name)} has room for ${held} elements, but ${rowCount} rows of ${length} need ` +
        `${rowCount * length}; give a larger buffer as ${role}: { ${quote(name)}: buffer }.`,
    );
  };
  const roomy = (role: DenseRole, ranges: unknown) => {
    const known = before.room[role]!;
    const { codec } = known[0]!;
    return enough(
      role,
      ranges === undefined ? known : resolvePieces(ranges, { parameter: name, role }, rowLength, codec),
      rowLength,
    );
  };
  const room = roomy('data', data);
  const mask =
    rowMask === undefined ? before.room.mask : resolvePiece(rowMask, { parameter: name, role: 'rowMask' });
  if (mask) enough('rowMask', [mask], 1);
  const common = {
    ...rest,
    elementCount,
    data: truncate(room, elementCount),
    ...(mask && { mask: { ...mask, elementCount: rowCount } }),
    hasLength: true,
  };
  if (sparse) {
    const entries = grad === undefined ? sparseOf(before) : grad;
    if (!isSparseGradient(entries)) {
      fail(`mapRows(): grad of parameter ${quote(name)} is ${quote(entries)}; give { indices, values }.`);
    }
    const { table } = resolveTable({
      name,
      data: bindings(room),
      codec: room[0]!.codec,
      gradCodec: sparse.values.codec,
      grad: entries,
      rowLength,
      length: elementCount,
    });
    return { ...common, grad: [table.values], sparse: table, room: { data: room, grad: [table.values] } };
  }
  const gradRoom = roomy('grad', grad);
  const microRoom = before.microGrad && roomy('microGrad', microGrad);
  const after = {
    ...common,
    grad: truncate(gradRoom, elementCount),
    ...(microRoom && { microGrad: truncate(microRoom, elementCount) }),
    room: {
      data: room,
      grad: gradRoom,
      ...(microRoom && { microGrad: microRoom }),
      ...(mask && { mask }),
    },
  };
  rejectUnfitRows(after);
  rejectUnfitWords(after);
  return after;
}

/** A sparse gradient as it would be given. */
function sparseOf({ sparse }: ResolvedParameter): SparseGradient {
  const { indices, values, count } = sparse!;
  const [first] = bindings([indices]);
  return { indices: first!, values: bindings([values])[0]!, ...(count && { count: bindings([count])[0]! }) };
}

const bindings = (pieces: readonly Piece<GPUBuffer>[]): RowRange[] =>
  pieces.map((piece) => ({
    buffer: piece.buffer,
    offset: piece.byteOffset,
    size: bytesOfPiece(piece).end - piece.byteOffset,
    ...(piece.rows && { byteStride: piece.rows.byteStride }),
  }));

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
