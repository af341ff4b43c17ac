import type { FractionWords } from '../../src/stages/control/fixed-point.js';

/** The twins, over BigInt, of what shaders/control/finalize.wgsl does with 64-bit fractions in words. */

const HALF = 1n << 63n;

/** A fraction from its words. */
export function toBigInt([high, low]: FractionWords): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** `multiply_fractions`. */
export function stepFraction(power: bigint, beta: bigint): bigint {
  return (power * beta + HALF) >> 64n;
}

/** `risen_rate`. */
export function risenRate(beta: bigint, damped: bigint): bigint {
  return beta - stepFraction(beta, damped >> 1n);
}

/** `one_minus`, as the float32 that its bits are. */
export function oneMinusFraction(fraction: bigint): number {
  const rest = (1n << 64n) - fraction;
  const bitLength = rest.toString(2).length;
  if (bitLength <= 24) return Number(rest) / 2 ** 64;
  const dropped = BigInt(bitLength - 24);
  let mantissa = rest >> dropped;
  const tail = rest & ((1n << dropped) - 1n);
  const half = 1n << (dropped - 1n);
  if (tail > half || (tail === half && (mantissa & 1n) === 1n)) mantissa++;
  return Number(mantissa) * 2 ** (bitLength - 24 - 64);
}
