import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { powerOfCount } from './count-power.js';
import { normDepth } from '../tensor/tensor-norm.js';

/** A float64 value, and how far from it a conforming WGSL implementation may be. */
export interface Bounded {
  readonly value: number;
  readonly error: number;
}

/** One unit in the last place, relative: WGSL's ULP of x is at most 2⁻²³|x|. */
const ULP = 2 ** -23;
/** Results and operands below this magnitude may be flushed to zero (WGSL "Floating Point Evaluation"). */
const MIN_NORMAL = 2 ** -126;
const MAX_FLOAT32 = 2 ** 128 * (1 - 2 ** -24);

/**
 * Turns an exact result and the error that its operands carried into a bounded one, adding what the operation
 * itself may be off: `ulps` of rounding, and a flush to zero if the result may be subnormal.
 */
function bounded(value: number, carried: number, ulps: number): Bounded {
  const magnitude = Math.abs(value) + carried;
  if (!Number.isFinite(value) || (value === 0 && carried === 0)) return { value, error: 0 };
  // ∞ × 0 while an error travels: nothing is known.
  if (Number.isNaN(carried)) return { value, error: Infinity };
  if (Math.abs(value) > MAX_FLOAT32) return { value: Math.sign(value) * Infinity, error: 0 };
  const flush = Math.abs(value) - carried < MIN_NORMAL ? MIN_NORMAL : 0;
  return { value, error: carried + ulps * ULP * magnitude + flush };
}

/**
 * Forward error analysis of an equation, operation by operation, from WGSL's accuracy table (WGSL §15.7.4
 * "Accuracy of Concrete Floating Point Expressions"): the bound that a kernel's result is held to on adapters
 * that are not known to round correctly.
 *
 * - `x + y`, `x − y`, `x × y` are "correctly rounded", which WGSL defines as either neighbour: 1 ULP. A
 *   contraction to `fma` rounds once instead of twice, so it stays inside.
 * - `x / y`: 2.5 ULP for |y| from 2⁻¹²⁶ to 2¹²⁶.
 * - `sqrt(x)`: inherited from `1 / inverseSqrt(x)`: 2 ULP of inverseSqrt and 2.5 of the division, and their
 *   product, below 5 ULP.
 * - Scalars are rounded by the host to the nearest float32: ½ ULP. Loads and stores are exact, but a
 *   subnormal may be flushed wherever it appears.
 *
 * - A norm: each square and each addition on the way to the sum is off by 1 ULP, of positive terms, so the sum is off by
 *   their number, relatively; the root halves that and adds its own 5 ULP and the factor's 1. What the elements carry
 *   moves the norm by no more than their own norm (triangle inequality).
 *
 * The error of an operand travels through the exact operation (Higham 2002, section 3.3), with no term dropped.
 */
export const errorBound: Arithmetic<Bounded> = {
  load: (value) => bounded(value, 0, 0),
  scalar: (value) => bounded(value, 0, 0.5),
  store: ({ value }) => value,
  add: (a, b) => bounded(a.value + b.value, a.error + b.error, 1),
  sub: (a, b) => bounded(a.value - b.value, a.error + b.error, 1),
  mul: (a, b) =>
    bounded(
      a.value * b.value,
      Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error,
      1,
    ),
  div: (a, b) => {
    const smallest = Math.abs(b.value) - b.error;
    const quotient = a.value / b.value;
    // A denominator that may be zero or subnormal leaves the quotient open.
    if (Number.isFinite(quotient) && smallest < MIN_NORMAL) return { value: quotient, error: Infinity };
    return bounded(quotient, (a.error + Math.abs(quotient) * b.error) / smallest, 2.5);
  },
  sqrt: (a) => {
    const root = Math.sqrt(a.value);
    const carried = Math.max(
      Math.sqrt(a.value + a.error) - root,
      root - Math.sqrt(Math.max(0, a.value - a.error)),
    );
    return bounded(root, carried, 5);
  },
  neg: (a) => ({ value: -a.value, error: a.error }),
  abs: (a) => ({ value: Math.abs(a.value), error: a.error }),
  larger: (a, b) => ({ value: b.value <= a.value ? a.value : b.value, error: Math.max(a.error, b.error) }),
  where: (a, positive, otherwise) => {
    if (Number.isNaN(a.value)) return a;
    const [taken, left] = a.value > 0 ? [positive, otherwise] : [otherwise, positive];
    const isCertain = a.value > 0 ? a.value - a.error > 0 : a.value + a.error <= 0;
    if (isCertain) return taken;
    // The GPU may find a on the other side of zero, and then has the other result.
    return {
      value: taken.value,
      error: Math.max(taken.error, Math.abs(left.value - taken.value) + left.error),
    };
  },
  sign: (a) => {
    const value = Math.sign(a.value);
    // Where rounding can move a past zero, the GPU may find any of −1, 0 and 1.
    return { value, error: Math.abs(a.value) <= a.error && a.error > 0 ? 1 + Math.abs(value) : 0 };
  },
  between: (a, low, high) => {
    if (Number.isNaN(a.value) || (a.value >= low.value && a.value <= high.value)) return a;
    const limit = a.value < low.value ? low : high;
    // A value just past the limit may be just inside on the GPU: both are this close to the limit.
    return { value: limit.value, error: Math.max(limit.error, a.error) };
  },
  clamp: (a, limit) => errorBound.between(a, errorBound.neg(limit), limit),
  lerp: (a, b, t) => errorBound.add(a, errorBound.mul(t, errorBound.sub(b, a))),
  ifPositive: (a, yes, no) => {
    const { value, error } = a.value > 0 ? yes : no;
    const isOpen = a.value > 0 ? a.value <= a.error : a.value + a.error > 0;
    return { value, error: isOpen ? Infinity : error };
  },
  norm: (length, at, factor) => {
    let [squares, squaredErrors] = [0, 0];
    for (let i = 0; i < length; i++) {
      const { value, error } = at(i);
      squares += value ** 2;
      // A subnormal may be flushed; a zero stays one.
      squaredErrors += (error + (value !== 0 && Math.abs(value) < MIN_NORMAL ? MIN_NORMAL : 0)) ** 2;
    }
    if (squares === 0 && squaredErrors === 0) return { value: 0, error: 0 };
    const norm = bounded(Math.sqrt(squares), Math.sqrt(squaredErrors), (1 + normDepth(length)) / 2 + 6);
    return factor ? errorBound.mul(norm, factor) : norm;
  },
  powerOfCount: (count, exponent, ofTwo) => {
    const { value, error } = powerOfCount(errorBound, count, exponent, ofTwo);
    // What its series leave out is part of the error.
    const exact = count ** exponent.value;
    return { value: exact, error: error + Math.abs(value - exact) };
  },
};
