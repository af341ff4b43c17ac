import type { RisingRate } from '../rules/declaration.js';
import type { Rule } from '../rules/rule.js';
import { uniformByteLength } from './alignment.js';
import { type GradientScaling, layoutOf } from './rule-layout.js';

/** A step's scalars; see {@link layoutOf}. */
export function stepScalars(
  rule: Rule,
  lr: number,
  t: number,
  scaling?: GradientScaling,
): Record<string, number> {
  return layoutOf(rule).values(lr, t, scaling);
}

/** The decay rates of a rule whose corrections its scalars have, by the name of the scalar. */
export function correctionRates(rule: Rule): [string, RisingRate][] {
  return layoutOf(rule).corrections.map(({ name, rate }) => [name, rate]);
}

/** Field names of the uniform struct `h`, in order; each is one f32. They are the same for all options of a rule. */
export function scalarNames(rule: Rule): readonly string[] {
  return layoutOf(rule).scalars;
}

/** Byte length of the uniform struct `h`: f32 fields, rounded up to the 16 bytes uniform structs occupy. */
export function scalarsByteLength(rule: Rule): number {
  return uniformByteLength(scalarNames(rule).length);
}
