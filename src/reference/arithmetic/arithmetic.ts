import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { powerOfCount } from './count-power.js';
import { float32Norm, float64Norm } from '../tensor/tensor-norm.js';

const identity = (value: number): number => value;

function between(a: number, low: number, high: number): number {
  if (a < low) return low;
  return a > high ? high : a;
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
  between,
  clamp: (a, limit) => between(a, -limit, limit),
  lerp: (a, b, t) => a + t * (b - a),
  ifPositive: (a, yes, no) => (a > 0 ? yes : no),
  norm: float64Norm,
  powerOfCount: (count, exponent) => count ** exponent,
};

/** The smallest normal float32. */
export const MIN_NORMAL = 2 ** -126;
/** Half a float32 subnormal unit below it: anything smaller in magnitude is tiny after rounding. */
const TINY = MIN_NORMAL - 2 ** -151;

/** Whether a float64 result is tiny: that is judged after rounding to 24 bits. */
export const isTiny = (value: number): boolean => Math.abs(value) < TINY;

/**
 * Rounds a float64 result to float32 as hardware that flushes subnormals does: what is tiny becomes a zero of the same sign.
 *
 * Going through float64 is exact: for + − × ÷ √ on float32 operands, rounding to 53 bits and then to 24 equals
 * rounding once, since 53 ≥ 2·24 + 2 (Figueroa 1995).
 */
export const round = (value: number): number => (isTiny(value) ? value / Infinity : Math.fround(value));

/** A float32 as arithmetic and comparisons see it: a subnormal is a zero of its sign. */
export function flushed(value: number): number {
  return Math.abs(value) < MIN_NORMAL ? value / Infinity : value;
}

/**
 * Float32, correctly rounded after each operation, never contracted, subnormals flushed to zero before and after each
 * operation and in comparisons: what SwiftShader does, bit for bit. What is only moved keeps its bits: loads, stores, and
 * whatever a comparison chooses. A negation computes.
 */
export const float32: Arithmetic<number> = {
  load: Math.fround,
  scalar: Math.fround,
  store: identity,
  add: (a, b) => round(flushed(a) + flushed(b)),
  sub: (a, b) => round(flushed(a) - flushed(b)),
  mul: (a, b) => round(flushed(a) * flushed(b)),
  div: (a, b) => round(flushed(a) / flushed(b)),
  sqrt: (a) => round(Math.sqrt(flushed(a))),
  neg: (a) => -flushed(a),
  abs: Math.abs,
  larger: (a, b) => (flushed(b) <= flushed(a) ? a : b),
  where: (a, positive, otherwise) => where(flushed(a), positive, otherwise),
  sign: (a) => (flushed(a) === 0 ? a : Math.sign(a)),
  between: (a, low, high) => {
    if (flushed(a) < flushed(low)) return low;
    return flushed(a) > flushed(high) ? high : a;
  },
  clamp: (a, limit) => float32.between(a, -limit, limit),
  lerp: (a, b, t) => float32.add(a, float32.mul(t, float32.sub(b, a))),
  ifPositive: (a, yes, no) => (flushed(a) > 0 ? yes : no),
  norm: (length, at, factor) => float32Norm(length, (i) => flushed(at(i)), round, factor),
  powerOfCount: (count, exponent, ofTwo) => powerOfCount(float32, count, exponent, ofTwo),
};
