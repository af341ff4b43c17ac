import type { MatrixRuleName, matrixRules } from '../rules/matrix-registry.js';
import type { RuleName, rules } from '../rules/registry.js';
import type { RuleFactory } from '../rules/rule.js';

/** The options that a rule takes, by its name. */
export type OptionsOf<R extends RuleName | MatrixRuleName> =
  (typeof rules & typeof matrixRules)[R] extends RuleFactory<infer O> ? O : never;

/**
 * A library's optimizers as options of our rules; a rule that the library lacks has no entry.
 *
 * An entry states every option of the rule that the library decides: its defaults, and the switches that give its
 * formula. What a user of the library must give is left out (`lr` where it is mandatory; `momentum` where it is 0
 * unless given, since then the optimizer is `sgd`), as is what has no effect at these values.
 *
 * The comment of an entry is what docs/conventions.md prints: the call and the file that the options were read
 * from, then, in paragraphs of their own, what else to know.
 */
export type Convention = {
  readonly [R in RuleName | MatrixRuleName]?: Readonly<OptionsOf<R>>;
};

/** Freezes a convention, its entries and their arrays. */
export function freezeConvention<const C extends Convention>(convention: C): C {
  for (const options of Object.values(convention)) {
    for (const value of Object.values(options)) Object.freeze(value);
    Object.freeze(options);
  }
  return Object.freeze(convention);
}
