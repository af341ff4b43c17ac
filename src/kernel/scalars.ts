import type { Rule } from '../rules/rule.js';
import { averagesOf } from './variant.js';

/** What is done to gradients before the rule sees them. */
export interface GradientScaling {
  /** Factor on every gradient: accumulation, loss scale, clip by norm. */
  readonly multiplier: number;
  /** Largest magnitude after that; Infinity for no limit. */
  readonly maxValue: number;
}

const UNSCALED: GradientScaling = { multiplier: 1, maxValue: Infinity };

/**
 * A step's scalars in float64, the standard ones first: what both the uniform buffer and the reference are filled
 * from. `decay` multiplies the weight: d with L2 and raw decay, ηd with decoupled decay.
 *
 * @param lr the learning rate in force.
 * @param t 1-based number of the step.
 */
export function stepScalars(
  rule: Rule,
  lr: number,
  t: number,
  gradient: GradientScaling = UNSCALED,
): Record<string, number> {
  const { weightDecay, weightDecayMode } = rule.options;
  const decay = weightDecayMode === 'decoupled' ? lr * weightDecay : weightDecay;
  const scalars: Record<string, number> = {
    decay,
    t,
    grad_multiplier: gradient.multiplier,
    max_grad_value: gradient.maxValue,
    ...rule.declaration.scalars(rule.options, lr),
  };
  for (const [name, beta] of correctionRates(rule)) scalars[name] = 1 - beta ** t;
  for (const { declaration, options } of averagesOf(rule))
    Object.assign(scalars, declaration.scalars(options));
  return scalars;
}

/** The decay rates β of a rule whose corrections 1 − βᵗ its scalars have, by the name of the scalar. */
export function correctionRates(rule: Rule): [string, number][] {
  return Object.entries(rule.declaration.corrections?.(rule.options) ?? {});
}

/** Field names of the uniform struct `h`, in order; each is one f32. They are the same for all options of a rule. */
export function scalarNames(rule: Rule): string[] {
  return Object.keys(stepScalars(rule, 0, 1));
}

/** Byte length of the uniform struct `h`: f32 fields, rounded up to the 16 bytes uniform structs occupy. */
export function scalarsByteLength(rule: Rule): number {
  return Math.ceil((scalarNames(rule).length * 4) / 16) * 16;
}
