import { type Rule, structureOf } from '../rules/rule.js';

/** Learning rates that the scalars are looked at with; ratios of them are exact. */
const RATES = [1, 2, 0.25] as const;

/**
 * The scalars that a learning rate of a column's own multiplies: those that are proportional to the rate, and the decay where
 * that is decoupled.
 */
export function findRateScalars(rule: Rule): string[] {
  const own = dependentScalars(rule).filter(({ isProportional }) => isProportional);
  const names = own.map(({ name }) => name);
  return structureOf(rule).weightDecayMode === 'decoupled' ? ['decay', ...names] : names;
}

/** Names of the scalars that follow from the rate otherwise, so that columns cannot have rates of their own. */
export function findOtherScalars(rule: Rule): string[] {
  const others = dependentScalars(rule).filter(({ isProportional }) => !isProportional);
  return others.map(({ name }) => name);
}

/** The scalars that follow from the learning rate. */
function dependentScalars(rule: Rule): { name: string; isProportional: boolean }[] {
  const options = structureOf(rule);
  const [first, ...others] = RATES.map((lr) => rule.declaration.scalars(options, lr));
  return Object.entries(first!).flatMap(([name, value]) => {
    // Corrections count steps.
    if (typeof value !== 'number' || others.every((scalars) => scalars[name] === value)) return [];
    const isProportional = others.every((scalars, k) => scalars[name] === value * RATES[k + 1]!);
    return [{ name, isProportional }];
  });
}
