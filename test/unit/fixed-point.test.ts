import { describe, expect, test } from 'vitest';
import { betaWords, correctionWords, powerWords } from '../../src/stages/control/fixed-point.js';
import { correction } from '../../src/kernel/rule-layout.js';
import { oneMinusFraction, risenRate, stepFraction, toBigInt } from '../support/fixed-point.js';

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

/** The same of a rising rate, 1 − Πβ(1 − ½dⁱ), after each of the given numbers of steps. */
function exactRisingCorrections(
  beta: number,
  damping: number,
  looks: readonly number[],
): Map<number, number> {
  const BITS = 200n;
  const one = 1n << BITS;
  const [b, d] = [beta, damping].map((value) => BigInt(value * 2 ** 64) << (BITS - 64n)) as [bigint, bigint];
  const corrections = new Map<number, number>();
  let product = one;
  let damped = one;
  for (let t = 1; t <= Math.max(...looks); t++) {
    damped = (damped * d) >> BITS;
    product = (product * ((b * (one - (damped >> 1n))) >> BITS)) >> BITS;
    if (looks.includes(t)) corrections.set(t, Number((one - product) >> (BITS - 120n)) / 2 ** 120);
  }
  return corrections;
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

  test('rounds as the steps do', () => {
    for (const beta of BETAS) {
      const fraction = toBigInt(betaWords(beta));
      expect(toBigInt(powerWords(beta, 2)), `β ${beta}`).toBe(stepFraction(fraction, fraction));
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

describe('1 − β₁β₂⋯βₜ of a rising rate', () => {
  // Past 20 000 steps nothing of the product is left but for the largest β, whose look at 30 000 still sees 1e-13.
  const LOOKS = [1, 2, 3, 10, 100, 1000, 5000, 30_000];
  const RATES = [0.5, 0.9, 0.99, 0.999].flatMap((beta) =>
    [0.25, 0.96, 0.96 ** 0.004, 1 - 2 ** -53].map((damping) => ({ beta, damping })),
  );

  test.for(RATES)('is within half a float32 ULP on GPU and host: β $beta, d $damping', (rate) => {
    const exact = exactRisingCorrections(rate.beta, rate.damping, LOOKS);
    const beta = toBigInt(betaWords(rate.beta));
    const damping = toBigInt(betaWords(rate.damping));
    let damped = damping;
    let product = risenRate(beta, damped);
    for (let t = 1; t <= LOOKS.at(-1)!; t++) {
      if (t > 1) {
        damped = stepFraction(damped, damping);
        product = stepFraction(product, risenRate(beta, damped));
      }
      const want = exact.get(t);
      if (want === undefined) continue;
      const halfUlp = 0.5001 * ulpFloat32(want);
      const [high, low] = correctionWords(rate, t) as [number, number];
      expect(Math.abs(oneMinusFraction(product) - want), `GPU, t ${t}`).toBeLessThanOrEqual(halfUlp);
      expect(Math.abs(oneMinusFraction(toBigInt([high, low])) - want), `resumed, t ${t}`).toBeLessThanOrEqual(
        halfUlp,
      );
      expect(Math.abs(Math.fround(correction(rate, t)) - want), `host, t ${t}`).toBeLessThanOrEqual(halfUlp);
    }
  });

  test('of a rate that does not rise is 1 − βᵗ', () => {
    expect(correction({ beta: 0.9, damping: 0 }, 7)).toBe(1 - 0.9 ** 7);
    expect(correctionWords({ beta: 0.9, damping: 0 }, 7).slice(0, 2)).toEqual([...powerWords(0.9, 7)]);
  });
});
