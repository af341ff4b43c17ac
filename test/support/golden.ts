import { ReferenceOptimizer, type Rule } from '../../src/index.js';
import { allRuleFactories } from './all-rules.js';
import type { GoldenCase } from '../fixtures/golden/index.js';

/** The rule of a golden case, with the case's options or others. */
export function goldenRule(golden: GoldenCase, options: Record<string, unknown>): Rule {
  return allRuleFactories.find(([name]) => name === golden.rule)![1](options);
}

/** The gradients of each step: printed, or those of the source's loss along the float64 run. */
export function goldenGradients(golden: GoldenCase, options = golden.options): number[][] {
  const { gradOf } = golden;
  if (!gradOf) return golden.grads;
  const gradients: number[][] = [];
  const reference = goldenReference(golden, options);
  for (let step = 0; step < golden.steps!; step++) {
    const gradient = gradOf([...reference.readParam('w')]);
    gradients.push(gradient);
    reference.step([gradient]);
  }
  return gradients;
}

function goldenReference(golden: GoldenCase, options: Record<string, unknown>): ReferenceOptimizer {
  const { shape } = golden;
  const params = [{ name: 'w', data: Float64Array.from(golden.param), ...(shape && { shape }) }];
  return new ReferenceOptimizer({ rule: goldenRule(golden, options), params, precision: 'f64' });
}

/** Runs a case on the float64 reference and lists every printed number that it misses. */
export function goldenMisses(golden: GoldenCase, options: Record<string, unknown>): string[] {
  const reference = goldenReference(golden, options);
  const misses: string[] = [];
  const compare = (got: ArrayLike<number>, want: number[], tolerance: number, what: string) => {
    want.forEach((value, i) => {
      if (Math.abs(got[i]! - value) <= tolerance) return;
      misses.push(`${what}[${i}]: got ${got[i]}, published ${value} ± ${tolerance}`);
    });
  };
  goldenGradients(golden, options).forEach((gradient, k) => {
    reference.step([gradient]);
    for (const { step, param, tolerance } of golden.expected) {
      if (step === k + 1) compare(reference.readParam('w'), param, tolerance, `step ${step}: param`);
    }
    for (const { step, slot, values, tolerance } of golden.state ?? []) {
      // A variant without the slot cannot have the published state.
      if (step === k + 1) compare(readSlot(reference, slot), values, tolerance, `step ${step}: ${slot}`);
    }
  });
  return misses;
}

function readSlot(reference: ReferenceOptimizer, slot: string): ArrayLike<number> {
  try {
    return reference.readState('w', slot);
  } catch {
    return [];
  }
}
