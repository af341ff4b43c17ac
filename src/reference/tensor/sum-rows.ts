import { OptimizerError, quote } from '../../errors.js';
import { ROW_BLOCK } from '../../plan/row-sums.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { isNumberList } from '../arithmetic/numbers.js';

/** The gradient of some rows of a table, on the CPU: entry k adds `values[k·rowLength …]` to row `indices[k]`. */
export interface ReferenceSparseGradient {
  /** Row numbers; entries whose row is not in the table are ignored. */
  indices: ArrayLike<number>;
  /** `rowLength` numbers per entry. */
  values: ArrayLike<number>;
  /** How many of the entries, from the first, count. Default all. */
  count?: number;
}

/** Gradients of the elements of a tensor. */
export interface ElementGradients<N> {
  readonly values: ArrayLike<N>;
  /** Per value, the index of its element, each once. Absent if the values are those of all elements, in order. */
  readonly elements?: readonly number[];
  /**
   * Per value, where the GPU's sum of squares meets it, among so many, zeros elsewhere; absent if all are met in order. The order of
   * addition, and so the bits of a norm, follow from it.
   */
  readonly places?: readonly number[];
  readonly placeCount?: number;
}

/** The CPU twin of `shaders/stages/sparse/`: sums the entries of each row in blocks, in order of their positions. */
export function sumRows<N>(
  f: Arithmetic<N>,
  { indices, values, count = indices.length }: ReferenceSparseGradient,
  rowLength: number,
  rowCount: number,
): Required<ElementGradients<N>> {
  const entriesOfRow = new Map<number, number[]>();
  for (let k = 0; k < Math.min(count, indices.length); k++) {
    const row = indices[k]!;
    if (!(row < rowCount)) continue;
    const entries = entriesOfRow.get(row);
    if (entries) entries.push(k);
    else entriesOfRow.set(row, [k]);
  }
  const elementsOfRow = Array.from({ length: rowLength }, (_, e) => e);
  const firstEntry = sortedPositions(entriesOfRow);
  return {
    values: [...entriesOfRow.values()].flatMap((entries) =>
      elementsOfRow.map((e) =>
        sumInBlocks(
          f,
          entries.map((k) => f.load(values[k * rowLength + e]!)),
        ),
      ),
    ),
    elements: [...entriesOfRow.keys()].flatMap((row) => elementsOfRow.map((e) => row * rowLength + e)),
    places: [...entriesOfRow.keys()].flatMap((row) =>
      elementsOfRow.map((e) => firstEntry.get(row)! * rowLength + e),
    ),
    placeCount: indices.length * rowLength,
  };
}

/** The place of each row's first entry when entries are sorted by their rows. */
function sortedPositions(entriesOfRow: ReadonlyMap<number, readonly number[]>): ReadonlyMap<number, number> {
  let position = 0;
  const rows = [...entriesOfRow.keys()].toSorted((a, b) => a - b);
  return new Map(
    rows.map((row) => {
      const first = position;
      position += entriesOfRow.get(row)!.length;
      return [row, first];
    }),
  );
}

/** Adds a block's terms one after the other, then the sums of blocks likewise, until one is left. */
function sumInBlocks<N>(f: Arithmetic<N>, terms: readonly N[]): N {
  let level = terms;
  do {
    const sums: N[] = [];
    for (let k = 0; k < level.length; k += ROW_BLOCK) {
      sums.push(level.slice(k, k + ROW_BLOCK).reduce((sum, term) => f.add(sum, term)));
    }
    level = sums;
  } while (level.length > 1);
  return level[0]!;
}

/** @throws OptimizerError `invalid-parameter` unless the entries of a step are whole. */
export function checkEntries(gradient: unknown, rowLength: number, what: string): ReferenceSparseGradient {
  const { indices, values, count } = (gradient ?? {}) as Partial<ReferenceSparseGradient>;
  if (!isNumberList(indices) || !isNumberList(values)) {
    fail(`${what} is ${quote(gradient)}; give { indices, values }, two lists of numbers.`);
  }
  if (values.length !== rowLength * indices.length) {
    fail(
      `${what} has ${indices.length} indices and ${values.length} values; ` +
        `give { indices, values } with ${rowLength} values per index.`,
    );
  }
  for (let k = 0; k < indices.length; k++) {
    const row = indices[k]!;
    if (!Number.isInteger(row) || row < 0) {
      fail(`${what}: indices[${k}] is ${quote(row)}; give row numbers, integers ≥ 0.`);
    }
  }
  if (count === undefined) return { indices, values };
  if (!Number.isInteger(count) || count < 0) {
    fail(`${what}: count is ${quote(count)}; give the number of entries that count, an integer ≥ 0.`);
  }
  return { indices, values, count };
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
