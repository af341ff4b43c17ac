import { type ElementAt, float32Norm, float64Norm } from './tensor-norm.js';

/**
 * The operations that equations are written in, over a number type N. One reference then runs in float64, as
 * the float32 twin of a kernel, or with an error bound beside each value.
 *
 * The names and meanings are WGSL's; `lerp`, `larger`, `clamp` and `sign` are `lerp`, `larger`, `within` and `sign_of`
 * of `shaders/step.wgsl`.
 */
export interface Arithmetic<N> {
  /** Takes a value out of memory. */
  readonly load: (value: number) => N;
  /** Takes a scalar that the host computed in float64. */
  readonly scalar: (value: number) => N;
  /** Puts a value back into memory. */
  readonly store: (value: N) => number;
  readonly add: (a: N, b: N) => N;
  readonly sub: (a: N, b: N) => N;
  readonly mul: (a: N, b: N) => N;
  readonly div: (a: N, b: N) => N;
  readonly sqrt: (a: N) => N;
  readonly neg: (a: N) => N;
  readonly abs: (a: N) => N;
  /** The larger of two; NaN if `b` is NaN. */
  readonly larger: (a: N, b: N) => N;
  /** `positive` where a > 0, `otherwise` where not, NaN where a is NaN. */
  readonly where: (a: N, positive: N, otherwise: N) => N;
  /** −1, 0 or 1 by the sign of a; keeps a NaN, and the sign of a zero. */
  readonly sign: (a: N) => N;
  /** a, no larger in magnitude than `limit`; keeps a NaN. */
  readonly clamp: (a: N, limit: N) => N;
  /** a + t(b − a), the form that keeps a moment exact when b = a. */
  readonly lerp: (a: N, b: N, t: N) => N;
  /** `yes` if a > 0, else `no`: also for a NaN. */
  readonly ifPositive: (a: N, yes: N, no: N) => N;
  /** Euclidean norm of a tensor's elements. */
  readonly norm: (length: number, at: ElementAt<N>) => N;
}

const identity = (value: number): number => value;

function clamp(a: number, limit: number): number {
  if (a < -limit) return -limit;
  return a > limit ? limit : a;
}

function where(a: number, positive: number, otherwise: number): number {
  if (Number.isNaN(a)) return NaN;
  return a > 0 ? positive : otherwise;
}

/** Plain float64. */
export const float64: Arithmetic<number> = {
  load: identity,
  scalar: identity,
  store: identity,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  sqrt: Math.sqrt,
  neg: (a) => -a,
  abs: Math.abs,
  larger: (a, b) => (b <= a ? a : b),
  where,
  sign: Math.sign,
  clamp,
  lerp: (a, b, t) => a + t * (b - a),
  ifPositive: (a, yes, no) => (a > 0 ? yes : no),
  norm: float64Norm,
};

/** Half a float32 subnormal unit below the smallest normal: anything smaller in magnitude is tiny after rounding. */
const TINY = 2 ** -126 - 2 ** -151;

/**
 * Rounds a float64 result to float32 as hardware that flushes subnormals does: tininess is judged after
 * rounding to 24 bits, and what is tiny becomes a zero of the same sign.
 *
 * Going through float64 is exact: for + − × ÷ √ on float32 operands, rounding to 53 bits and then to 24 equals
 * rounding once, since 53 ≥ 2·24 + 2 (Figueroa 1995).
 */
function round(value: number): number {
  return value < TINY && value > -TINY ? value / Infinity : Math.fround(value);
}

/**
 * Float32, correctly rounded after each operation, never contracted, subnormals flushed to zero on load and
 * after each operation: what SwiftShader does, bit for bit.
 */
export const float32: Arithmetic<number> = {
  load: round,
  scalar: round,
  store: identity,
  add: (a, b) => round(a + b),
  sub: (a, b) => round(a - b),
  mul: (a, b) => round(a * b),
  div: (a, b) => round(a / b),
  sqrt: (a) => round(Math.sqrt(a)),
  neg: (a) => -a,
  abs: Math.abs,
  larger: (a, b) => (b <= a ? a : b),
  where,
  sign: Math.sign,
  clamp,
  lerp: (a, b, t) => round(a + round(t * round(b - a))),
  ifPositive: (a, yes, no) => (a > 0 ? yes : no),
  norm: (length, at) => float32Norm(length, at, round),
};
