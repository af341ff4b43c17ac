/** Bits of a digit, and pairs per workgroup: the constants of `shaders/sparse/radix-sort.wgsl`. */
const DIGIT_BITS = 6;
const DIGIT_COUNT = 1 << DIGIT_BITS;
const PAIRS_PER_BLOCK = 1024;

/** How the entries of a sparse gradient are sorted by row. */
export interface SortPlan {
  /** Lowest bit of each pass's digit. */
  readonly shifts: readonly number[];
  /** Workgroups of `count` and `scatter`. */
  readonly blockCount: number;
  /** Words of the histogram. */
  readonly counterCount: number;
}

/** Passes over no more digits than the table's row numbers have, and the one that stands for no row. */
export function planSort(entryCount: number, rowCount: number): SortPlan {
  const bitCount = 32 - Math.clz32(rowCount);
  const shifts = Array.from({ length: Math.ceil(bitCount / DIGIT_BITS) }, (_, k) => DIGIT_BITS * k);
  const blockCount = Math.ceil(entryCount / PAIRS_PER_BLOCK);
  return { shifts, blockCount, counterCount: DIGIT_COUNT * blockCount };
}
