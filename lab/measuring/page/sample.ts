/** Elements of a tensor that are looked at one and all; of longer ones it is a sample. */
const MOST_ELEMENTS = 1 << 22;
const BLOCKS = 256;
const BLOCK_ELEMENTS = MOST_ELEMENTS / BLOCKS;

/** A stretch of a tensor, in elements. */
export interface Block {
  readonly start: number;
  readonly count: number;
}

/**
 * What of a tensor is checked: all of it up to 2²² elements, else 256 blocks of 2¹⁴ evenly spread from the first element to
 * the last. Reading 10⁸ weights back and going through them took longer than measuring.
 */
export function sampleBlocks(elementCount: number): Block[] {
  if (elementCount <= MOST_ELEMENTS) return [{ start: 0, count: elementCount }];
  return Array.from({ length: BLOCKS }, (_, k) => ({
    start: Math.floor(((elementCount - BLOCK_ELEMENTS) * k) / (BLOCKS - 1)),
    count: BLOCK_ELEMENTS,
  }));
}

/** The values of the sample, one block behind the other. */
export function takeSample(elementCount: number, valueAt: (i: number) => number): Float32Array {
  const blocks = sampleBlocks(elementCount);
  const values = new Float32Array(blocks.reduce((sum, { count }) => sum + count, 0));
  let end = 0;
  for (const { start, count } of blocks) {
    for (let k = 0; k < count; k += 1) values[end + k] = valueAt(start + k);
    end += count;
  }
  return values;
}
