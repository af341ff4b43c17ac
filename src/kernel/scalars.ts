import type { Rule, RuleDeclaration } from '../rules/rule.js';

/**
 * A step's scalars in float64, `decay` first: what both the uniform buffer and the reference are filled from.
 * `decay` multiplies the weight: d with L2 and raw decay, ηd with decoupled decay.
 *
 * @param lr the learning rate in force.
 * @param t 1-based number of the step.
 */
export function stepScalars(rule: Rule, lr: number, t: number): Record<string, number> {
  const { weightDecay, weightDecayMode } = rule.options;
  const decay = weightDecayMode === 'decoupled' ? lr * weightDecay : weightDecay;
  return { decay, ...rule.declaration.scalars(rule.options, lr, t) };
}

/** Field names of the uniform struct `h`, in order; each is one f32. */
export function scalarNames(declaration: RuleDeclaration): string[] {
  const defaults = Object.fromEntries(
    Object.entries(declaration.options).map(([name, spec]) => [name, spec.default]),
  );
  return ['decay', ...Object.keys(declaration.scalars(defaults as never, 0, 1))];
}

/** Byte length of the uniform struct `h`: f32 fields, rounded up to the 16 bytes uniform structs occupy. */
export function scalarsByteLength(declaration: RuleDeclaration): number {
  return Math.ceil((scalarNames(declaration).length * 4) / 16) * 16;
}
