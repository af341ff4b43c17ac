/** One workload: how many tensors, and how many elements each of them has. */
export interface BenchCase {
  /** As written on the command line and in results, e.g. `1e7` or `1000x1e3`. */
  readonly text: string;
  readonly tensorCount: number;
  readonly elementsPerTensor: number;
}

/** The cases that are run unless `--sizes` says otherwise. */
export const DEFAULT_CASES = '1e4,1e5,1e6,1e7,100x1e4,1000x1e3';

/** The cases of `--quick`. */
export const QUICK_CASES = '1e5,1e6,100x1e4';

/**
 * Reads a case such as `1e7` (one tensor) or `1000x1e3` (tensors × elements).
 *
 * @throws Error quoting the text if it is neither.
 */
export function parseCase(text: string): BenchCase {
  const numbers = text.split('x').map(Number);
  if (numbers.length > 2 || !numbers.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new Error(`"${text}" is no size; write elements as in 1e7, or tensors x elements as in 1000x1e3.`);
  }
  const [tensorCount, elementsPerTensor] = numbers.length === 2 ? numbers : [1, ...numbers];
  return { text, tensorCount: tensorCount!, elementsPerTensor: elementsPerTensor! };
}

/** Elements of all tensors together. */
export function totalElements({ tensorCount, elementsPerTensor }: BenchCase): number {
  return tensorCount * elementsPerTensor;
}
