/** Bits of a digit, pairs per workgroup, and counters per workgroup of the scan: the constants of `shaders/stages/sparse/radix-sort.wgsl`. */
const DIGIT_BITS = 4;
const DIGIT_COUNT = 1 << DIGIT_BITS;
const PAIRS_PER_BLOCK = 1024;
const COUNTERS_PER_PART = 1024;

/**
 * Entries of a row, and blocks of them, that are added one after the other. A row with more is summed by a tree: so no
 * invocation has more than this to do at a time, however often a row is named.
 */
export const ROW_BLOCK = 32;

/** How the entries of a sparse gradient are sorted by row, and the sorted ones summed. */
export interface RowSumPlan {
  /** Lowest bit of the digit that each pass of the sort looks at. */
  readonly shifts: readonly number[];
  /** Workgroups of `count` and `scatter`. */
  readonly blockCount: number;
  /** Counters of the histogram: one per digit and block. */
  readonly counterCount: number;
  /** Workgroups of `scan`, each of which adds up a part of the counters. */
  readonly partCount: number;
  /** Per level of the tree above the first blocks, how many entries a block of the level below has at most. */
  readonly strides: readonly number[];
}

/** Passes over no more digits than the table's row numbers have, and the one that stands for no row; levels for a row of all entries. */
export function planRowSum(entryCount: number, rowCount: number): RowSumPlan {
  const bitCount = 32 - Math.clz32(rowCount);
  const shifts = Array.from({ length: Math.ceil(bitCount / DIGIT_BITS) }, (_, k) => DIGIT_BITS * k);
  const blockCount = Math.ceil(entryCount / PAIRS_PER_BLOCK);
  const strides: number[] = [];
  for (let stride = ROW_BLOCK; stride < entryCount; stride *= ROW_BLOCK) strides.push(stride);
  const counterCount = DIGIT_COUNT * blockCount;
  return {
    shifts,
    blockCount,
    counterCount,
    partCount: Math.ceil(counterCount / COUNTERS_PER_PART),
    strides,
  };
}
