import { createRandom } from '../../../lab/random.js';
import { muon } from '../../../src/index.js';
import type { MatrixStack } from '../../suites/matrix-work.js';

const SEED = 1;

/** a, b, c of X ← aX + (bA + cA²)X. */
export const COEFFICIENTS = muon().options.nsCoefficients as readonly [a: number, b: number, c: number];

/** Matrices to be made orthogonal, of no more rows than columns, as whoever writes the products by hand would lay them. */
export interface WideStack {
  readonly short: number;
  readonly long: number;
  readonly count: number;
  /** All of them, one behind the other, each of norm 1. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** The matrices of a request, with random elements. */
export function wideStacks(stacks: readonly MatrixStack[]): WideStack[] {
  const uniform = createRandom(SEED);
  return stacks.map(({ rows, columns, count }) => {
    const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
    // Uniform in (−s, s), whose squares have the mean s²/3.
    const most = Math.sqrt(3 / (short * long));
    const values = Float32Array.from({ length: count * short * long }, () => most * (2 * uniform() - 1));
    return { short, long, count, values };
  });
}

/**
 * Looks at what a contestant made of the first matrix of a stack.
 *
 * @throws Error unless it is about orthogonal: what does nothing, or half of it, would look wonderfully fast.
 */
export function checkOrthogonal({ short, long }: WideStack, values: ArrayLike<number>): void {
  let squares = 0;
  for (let i = 0; i < short * long; i++) squares += values[i]! ** 2;
  // Singular values are between about 0.7 and 1.2, and a few of a square matrix are less.
  const mean = squares / short;
  if (!(mean > 0.4 && mean < 1.5))
    throw new Error(
      `A matrix has singular values whose squares have the mean ${mean}; it should be about 0.8.`,
    );
}
