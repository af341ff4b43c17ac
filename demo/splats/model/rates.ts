import { adam, schedules } from '../../../src/index.js';
import type { FieldName } from './fields.js';

/** Fields that share a learning rate, and the rate at the first step. */
export const rates = [
  // In pixels, whatever the picture's size.
  { names: ['position'], lr: 0.2 },
  { names: ['logScale', 'rotation'], lr: 0.02 },
  { names: ['colour', 'opacity'], lr: 0.02 },
] as const satisfies readonly { readonly names: readonly FieldName[]; readonly lr: number }[];

/** A rate falls to this part of what it was. */
const FALL = 0.1;

/** From a rate at the first step, its course over all steps. */
export function course(lr: number, steps: number): (step: number) => number {
  return schedules.exponential({ lr, gamma: FALL, decaySteps: steps });
}

/** Gradients of a mean over all pixels are tiny; an ε that is not tiny against them would be a smaller rate. */
export const rule = adam({ betas: [0.9, 0.999], eps: 1e-15 });
