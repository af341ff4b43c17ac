import type { RuleDeclaration } from '../rules/declaration.js';
import type { RuleOptions } from '../rules/common-options.js';

/** Learning rates that the scalars are looked at with; ratios of them are exact. */
const RATES = [1, 2, 0.25] as const;

/**
 * The scalars that a learning rate of a column's own multiplies: those that are proportional to the rate, and the decay where
 * that is decoupled.
 */
export function findRateScalars(declaration: RuleDeclaration, options: RuleOptions): string[] {
  const [one, two] = RATES.map((lr) => declaration.scalars(options, lr));
  const own = Object.keys(one!).filter(
    (name) => one![name] !== two![name] && isProportional(declaration, options, name),
  );
  return options.weightDecayMode === 'decoupled' ? ['decay', ...own] : own;
}

/** Names of the scalars that follow from the rate otherwise, so that columns cannot have rates of their own. */
export function findOtherScalars(declaration: RuleDeclaration, options: RuleOptions): string[] {
  const [one, two, quarter] = RATES.map((lr) => declaration.scalars(options, lr));
  const depends = (name: string) => one![name] !== two![name] || one![name] !== quarter![name];
  return Object.keys(one!).filter(
    (name) => typeof one![name] === 'number' && depends(name) && !isProportional(declaration, options, name),
  );
}

function isProportional(declaration: RuleDeclaration, options: RuleOptions, name: string): boolean {
  const values = RATES.map((lr) => declaration.scalars(options, lr)[name]);
  return values.every((value, k) => typeof value === 'number' && value === (values[0] as number) * RATES[k]!);
}
