/** How the sort of pairs is shared out: the constants of `shaders/stages/sparse/radix-sort.wgsl`. */
export interface SortShape {
  readonly WORKGROUP_SIZE: number;
  /** Pairs of a workgroup, and counters of one that adds counters up. */
  readonly PER_BLOCK: number;
  readonly DIGIT_BITS: number;
}

/**
 * Entries of a row, and blocks of them, that are added one after the other. A row with more is summed by a tree: so no
 * invocation has more than this to do at a time, however often a row is named.
 */
export const ROW_BLOCK = 32;

/** How the entries of a sparse gradient are sorted by row, and the sorted ones summed. */
export interface RowSumPlan {
  readonly sort: SortShape;
  /** What each pass of the sort runs: of one block, the last does it all. */
  readonly sortKernels: readonly ('count' | 'scan' | 'scatter')[];
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

/**
 * Passes over no more digits than the table's row numbers have, and the one that stands for no row; levels for a row of all entries.
 *
 * @param isCpu whether the adapter computes on the CPU.
 */
export function planRowSum(entryCount: number, rowCount: number, isCpu: boolean): RowSumPlan {
  // One wave, and few passes: what CPU adapters pay for is dispatches, and waves at barriers.
  const [WORKGROUP_SIZE, PER_BLOCK, DIGIT_BITS] = isCpu ? [4, 4096, 9] : [32, 1024, 4];
  const bitCount = 32 - Math.clz32(rowCount);
  const shifts = Array.from({ length: Math.ceil(bitCount / DIGIT_BITS) }, (_, k) => DIGIT_BITS * k);
  const blockCount = Math.ceil(entryCount / PER_BLOCK);
  const strides: number[] = [];
  for (let stride = ROW_BLOCK; stride < entryCount; stride *= ROW_BLOCK) strides.push(stride);
  const counterCount = blockCount << DIGIT_BITS;
  const partCount = Math.ceil(counterCount / PER_BLOCK);
  const sortKernels = (['count', 'scan', 'scatter'] as const).slice(blockCount < 2 ? 2 : 0);
  const sort = { WORKGROUP_SIZE, PER_BLOCK, DIGIT_BITS };
  return { sort, sortKernels, shifts, blockCount, counterCount, partCount, strides };
}
