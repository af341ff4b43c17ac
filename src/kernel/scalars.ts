import type { RisingRate, Rule } from '../rules/rule.js';
import { uniformByteLength } from './alignment.js';
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
  for (const [name, rate] of correctionRates(rule)) scalars[name] = correction(rate, t);
  for (const { declaration, options } of averagesOf(rule))
    Object.assign(scalars, declaration.scalars(options));
  return scalars;
}

/** The decay rates of a rule whose corrections its scalars have, by the name of the scalar. */
export function correctionRates(rule: Rule): [string, RisingRate][] {
  const rates = Object.entries(rule.declaration.corrections?.(rule.options) ?? {});
  return rates.map(([name, rate]) => [name, typeof rate === 'number' ? { beta: rate, damping: 0 } : rate]);
}

/**
 * 1 − β₁β₂⋯βₜ in float64. Of a rising rate the product is multiplied out until nothing is left of it or of dⁱ. That
 * takes some thousand factors at most, whatever β: where d is near 1 the rates stay near β/2.
 *
 * @param t 1-based count of applied steps.
 */
export function correction({ beta, damping }: RisingRate, t: number): number {
  if (damping === 0) return 1 - beta ** t;
  let product = 1;
  let i = 0;
  while (i < t && product > 2 ** -54 && damping ** i > 2 ** -54) product *= beta * (1 - damping ** ++i / 2);
  return 1 - product * beta ** (t - i);
}

/** Field names of the uniform struct `h`, in order; each is one f32. They are the same for all options of a rule. */
export function scalarNames(rule: Rule): string[] {
  return Object.keys(stepScalars(rule, 0, 1));
}

/** Byte length of the uniform struct `h`: f32 fields, rounded up to the 16 bytes uniform structs occupy. */
export function scalarsByteLength(rule: Rule): number {
  return uniformByteLength(scalarNames(rule).length);
}
