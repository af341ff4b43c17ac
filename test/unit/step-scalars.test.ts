import { describe, expect, test } from 'vitest';
import { nadam, radam } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { float32 } from '../../src/reference/arithmetic/arithmetic.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';
import { makeElementRule } from '../../src/reference/tensor/element-step.js';
import type { Rule } from '../../src/rules/rule.js';

/** Steps to look at: the first ones, where series and thresholds decide, and the last that float32 counts. */
const LOOKS = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 50, 99, 100, 101, 999, 1000, 1001, 10_000, 100_000, 1_000_000,
  16_777_216,
];
/** The learning rate of all of them. */
const LR = 0.1;
const ulpFloat32 = (value: number): number => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);

/** How far a coefficient may be off that is computed in float32 with correct rounding: a few ULP. */
const MAX_ULPS = 4;

/**
 * Holds what `prepare` makes of a step's scalars in float32 to the published formula in float64: to a few ULP, and to
 * the bound derived from WGSL's accuracy table, which is what other adapters' weights are held to.
 *
 * @param published what the formula gives at a step, by the scalar's name.
 */
function checkPrepared(rule: Rule, published: (t: number) => Record<string, number>): void {
  for (const t of LOOKS) {
    const scalars = layoutOf(rule).values(LR, t);
    const twin = makeElementRule(float32, rule).prepare(scalars, t);
    const bounded = makeElementRule(errorBound, rule).prepare(scalars, t);
    for (const [name, want] of Object.entries(published(t))) {
      const what = `${name} at step ${t} of ${JSON.stringify(rule.options)}`;
      const deviation = Math.abs(twin[name]! - want);
      expect(deviation, what).toBeLessThanOrEqual(bounded[name]!.error);
      expect(deviation, what).toBeLessThanOrEqual(want === 0 ? 0 : MAX_ULPS * ulpFloat32(want));
    }
  }
}

describe('the coefficients of NAdam', () => {
  /** As torch.optim.NAdam computes them; Π is multiplied out once over all steps that are looked at. */
  function published(beta1: number, decay: number, base: number): Map<number, Record<string, number>> {
    const mu = (t: number) => beta1 * (1 - 0.5 * base ** (t * decay));
    const rows = new Map<number, Record<string, number>>();
    let product = 1;
    for (let t = 1; t <= LOOKS.at(-1)!; t++) {
      // Beyond this nothing of the product is left to see.
      if (product > 1e-30) product *= mu(t);
      if (!LOOKS.includes(t)) continue;
      const next = mu(t + 1);
      rows.set(t, {
        gradient_size: (LR * (1 - mu(t))) / (1 - product),
        momentum_size: (LR * next) / (1 - product * next),
      });
    }
    return rows;
  }

  const BETAS = [0, 0.5, 0.9, 0.99, 0.999];
  const SCHEDULES = [
    [0.004, 0.96],
    [1, 0.96],
    [0, 0.96],
    [0.5, 0.5],
    [0.004, 0],
  ] as const;
  test.for(BETAS)('are within a few ULP of float64 at every step up to 2²⁴, with β₁ %f', (beta1) => {
    for (const [momentumDecay, momentumDecayBase] of SCHEDULES) {
      const rows = published(beta1, momentumDecay, momentumDecayBase);
      const rule = nadam({ betas: [beta1, 0.999], momentumDecay, momentumDecayBase });
      checkPrepared(rule, (t) => rows.get(t)!);
    }
  });
});

describe('the step size of RAdam', () => {
  const BETAS = [0, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.999999];

  /** ρₜ from 400-bit integers: the published difference of two large numbers loses up to all of float64's digits. */
  function published(beta2: number, t: number): { rho: number; rhoInf: number } {
    const BITS = 400n;
    const one = 1n << BITS;
    const beta = BigInt(beta2 * 2 ** 64) << (BITS - 64n);
    let power = one;
    let square = beta;
    for (let rest = t; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) power = (power * square) >> BITS;
      square = (square * square) >> BITS;
    }
    const rhoInf = ((2n << BITS) << BITS) / (one - beta) - one;
    const rho = rhoInf - ((2n * BigInt(t) * power) << BITS) / (one - power);
    const toNumber = (value: bigint) => Number(value >> (BITS - 100n)) / 2 ** 100;
    return { rho: toNumber(rho), rhoInf: toNumber(rhoInf) };
  }

  test.for(BETAS)('is within a few ULP of the exact one at every step up to 2²⁴, with β₂ %f', (beta2) => {
    const rule = radam({ betas: [0.9, beta2] });
    checkPrepared(rule, (t) => {
      const { rho, rhoInf } = published(beta2, t);
      const momentumSize = LR / (1 - 0.9 ** t);
      if (rho <= 5) return { step_size: momentumSize };
      const square = ((rho - 4) * (rho - 2) * rhoInf) / ((rhoInf - 4) * (rhoInf - 2) * rho);
      return { step_size: momentumSize * Math.sqrt(square * (1 - beta2 ** t)) };
    });
  });

  test('begins at the step at which ρₜ exceeds the threshold, and never where it cannot', () => {
    for (const rectificationThreshold of [4, 5, 7.5]) {
      for (const beta2 of BETAS) {
        const rule = radam({ betas: [0.9, beta2], rectificationThreshold });
        for (const t of LOOKS) {
          const { excess } = makeElementRule(float32, rule).prepare(layoutOf(rule).values(LR, t), t);
          const { rho } = published(beta2, t);
          expect(excess! > 0, `β₂ ${beta2}, t ${t}, ρ ${rho}`).toBe(rho > rectificationThreshold);
        }
      }
    }
  });
});
