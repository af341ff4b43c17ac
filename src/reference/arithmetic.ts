import type { Arithmetic } from '../rules/arithmetic.js';
import { float32Norm, float64Norm } from './tensor-norm.js';

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
