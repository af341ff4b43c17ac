import { type MatrixRuleName, matrixRuleFactories } from '../../src/rules/matrix-registry.js';
import { type RuleName, ruleFactories } from '../../src/rules/registry.js';
import type { RuleFactory } from '../../src/rules/rule.js';

/** Every rule, those of matrices last. */
export const allRuleFactories: readonly (readonly [RuleName | MatrixRuleName, RuleFactory])[] = [
  ...ruleFactories,
  ...matrixRuleFactories,
];
