import type { RisingRate } from '../../rules/declaring/declaration.js';

/** One, as a fraction of 64 bits. */
const ONE = 1n << 64n;
/** 2⁻⁴⁸, which a float32 of 1 minus it cannot show. Not 0: multiplied and rounded half up, a fraction never gets there. */
const NOTHING = 1n << 16n;

/** A fraction in [0, 1) as the GPU keeps it: high and low 32 bits. */
export type FractionWords = readonly [high: number, low: number];

function toWords(fraction: bigint): FractionWords {
  return [Number(fraction >> 32n), Number(fraction & 0xffff_ffffn)];
}

/** β as a 64-bit fraction; exact for every float64 β ≥ 2⁻¹¹, rounded below. */
function toFraction(beta: number): bigint {
  return BigInt(Math.round(beta * 2 ** 64));
}

/** The words of β. */
export function betaWords(beta: number): FractionWords {
  return toWords(toFraction(beta));
}

/**
 * The words of βᵗ for t ≥ 1, by squaring: where a resumed run's count starts on the GPU. Off by less than the GPU's
 * own t roundings. For t = 0 the GPU does not read it.
 */
export function powerWords(beta: number, t: number): FractionWords {
  return t === 0 ? [0, 0] : toWords(power(toFraction(beta), t));
}

function power(fraction: bigint, t: number): bigint {
  let result = ONE;
  let square = fraction;
  for (let rest = t; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

/**
 * What the GPU keeps of a correction, as words of a record in shaders/stages/control/advance.wgsl: the product of the rates
 * of t steps, dᵗ, β and d.
 *
 * @param t steps applied so far; for 0 the GPU reads none of them.
 */
export function correctionWords({ beta, damping }: RisingRate, t: number): number[] {
  const product = damping === 0 ? powerWords(beta, t) : risingProductWords(beta, damping, t);
  return [...product, ...powerWords(damping, t), ...betaWords(beta), ...betaWords(damping)];
}

/** Step by step as the GPU, until nothing is left of the product or of dⁱ: after some thousand steps at most. */
function risingProductWords(beta: number, damping: number, t: number): FractionWords {
  if (t === 0) return [0, 0];
  const [b, d] = [toFraction(beta), toFraction(damping)];
  let product = ONE;
  let damped = ONE;
  let i = 0;
  for (; i < t && product > NOTHING && damped > NOTHING; i++) {
    damped = multiply(damped, d);
    product = multiply(product, b - multiply(b, damped >> 1n));
  }
  return toWords(multiply(product, power(b, t - i)));
}

/** Rounded to 64 bits, half up, as `multiply_fractions` in shaders/stages/control/advance.wgsl. */
function multiply(a: bigint, b: bigint): bigint {
  return (a * b + (ONE >> 1n)) >> 64n;
}
