import { describe, expect, test } from 'vitest';
import { betaWords, powerWords } from '../../src/engine/control/fixed-point.js';
import { oneMinusFraction, stepFraction, toBigInt } from '../support/fixed-point.js';

/** 1 − βᵗ from 200-bit integers: β as float64 holds it, exactly, then rounded once. */
function exactCorrection(beta: number, t: number): number {
  const BITS = 200n;
  let power = 1n << BITS;
  let square = BigInt(beta * 2 ** 64) << (BITS - 64n);
  for (let rest = t; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = (power * square) >> BITS;
    square = (square * square) >> BITS;
  }
  return Number(((1n << BITS) - power) >> (BITS - 120n)) / 2 ** 120;
}

const ulpFloat32 = (value: number): number => 2 ** (Math.floor(Math.log2(value)) - 23);
const BETAS = [0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.999999, 1 - 2 ** -30];

describe('1 − βᵗ in 64-bit fixed point', () => {
  test('is within half a float32 ULP at each of the first 2²⁴ steps that are looked at', () => {
    const LAST = 2 ** 24;
    const looks = new Set([1, 2, 3, 10, 100, 999, 1000, 1001, 1e5, 1e6, LAST - 1, LAST]);
    const rows: string[] = [];
    for (const beta of [0.9, 0.999, 0.999999]) {
      const fraction = toBigInt(betaWords(beta));
      let power = fraction;
      for (let t = 1; t <= LAST; t++) {
        if (t > 1) power = stepFraction(power, fraction);
        if (!looks.has(t)) continue;
        const exact = exactCorrection(beta, t);
        const ulps = Math.abs(oneMinusFraction(power) - exact) / ulpFloat32(exact);
        rows.push(`β ${beta}, t ${t}: ${ulps.toFixed(4)} ULP`);
        // Half an ULP is the rounding to float32 itself.
        expect(ulps, rows.at(-1)).toBeLessThanOrEqual(0.5001);
      }
    }
    console.log(`error of 1 − βᵗ against 200-bit integers\n  ${rows.join('\n  ')}`);
  }, 120_000);

  test('starts a resumed run where the steps would have led', () => {
    for (const beta of BETAS) {
      for (const t of [1, 2, 7, 1000, 123_457, 2 ** 24]) {
        const exact = exactCorrection(beta, t);
        const got = oneMinusFraction(toBigInt(powerWords(beta, t)));
        expect(Math.abs(got - exact) / ulpFloat32(exact), `β ${beta}, t ${t}`).toBeLessThanOrEqual(0.5001);
      }
    }
  });

  test('agrees with the float64 that the host uses where nothing is skipped', () => {
    for (const beta of BETAS) {
      for (const t of [1, 2, 7, 1000, 123_457]) {
        const host = Math.fround(1 - beta ** t);
        const gpu = oneMinusFraction(toBigInt(powerWords(beta, t)));
        expect(Math.abs(gpu - host), `β ${beta}, t ${t}`).toBeLessThanOrEqual(ulpFloat32(host));
      }
    }
  });
});
