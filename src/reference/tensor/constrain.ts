import type { WeightConstraint } from '../../plan/pieces.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';

/** The CPU twin of `constrained` in src/kernel/step-rows.ts: a weight within its limits. */
export function limitWeight<N>(f: Arithmetic<N>, weight: N, constraint: WeightConstraint | undefined): N {
  if (typeof constraint !== 'object') return weight;
  const { min = -Infinity, max = Infinity } = constraint;
  return f.between(weight, f.scalar(min), f.scalar(max));
}

/** The exponent of the largest power of two that is no larger than a positive number. */
function exponentOf(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return (view.getUint16(0) >> 4) - 1023;
}

/**
 * The CPU twin of `divide_row` in src/kernel/step-rows.ts: a row of weights divided by its norm. One of zeros, or that is not
 * finite, stays as it is.
 */
export function divideRow<N>(f: Arithmetic<N>, row: readonly N[]): N[] {
  const magnitudes = row.map((w) => Math.abs(f.store(w)));
  if (!magnitudes.every(Number.isFinite)) return [...row];
  const largest = Math.max(...magnitudes);
  // Squares neither over- nor underflow: the power of two that takes the largest to [2, 4).
  const scale = f.load(2 ** (1 - exponentOf(Math.max(largest, 2 ** -126))));
  const scaled = row.map((w) => f.mul(w, scale));
  const squares = scaled.map((w) => f.mul(w, w));
  const zero = f.load(0);
  let sum = zero;
  for (let k = 0; k < row.length; k += 4) {
    const [x, y, z, w] = [0, 1, 2, 3].map((n) => squares[k + n] ?? zero) as [N, N, N, N];
    sum = f.add(sum, f.add(f.add(x, y), f.add(z, w)));
  }
  const norm = f.sqrt(sum);
  const longest = f.abs(row[magnitudes.indexOf(largest)]!);
  return row.map((w, k) => f.ifPositive(longest, f.div(scaled[k]!, norm), w));
}
