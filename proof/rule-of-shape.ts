import { partGroup } from '../src/engine/input/groups.js';
import type { Rule } from '../src/rules/rule.js';

/** The rule that steps a tensor of a shape: that of others, if it is no matrix. */
export function ruleOfShape(rule: Rule, shape: readonly number[] | undefined): Rule {
  return partGroup({ rule, params: [{ shape }], ...(rule.others && { others: rule.others }) })[0]!.rule;
}
