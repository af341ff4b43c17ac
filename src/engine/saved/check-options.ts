import { quote } from '../../errors.js';
import { optionsOfOtherKernels } from '../../kernel/rule-layout.js';
import { type Rule, overrideRule } from '../../rules/rule.js';
import type { ParameterGroup } from '../parameter-group.js';
import { fail } from './check.js';

/**
 * The rule of a group with saved options, if they fit the kernels that are compiled.
 *
 * @param what the group, for errors.
 * @throws OptimizerError `invalid-option` for an option out of range, `invalid-state-dict` if others are needed.
 */
export function checkOptions(
  saved: Readonly<Record<string, unknown>>,
  what: string,
  group: ParameterGroup,
): Rule {
  const { lr, ...options } = saved;
  // A live schedule goes on: it follows the restored step.
  const rule = overrideRule(group.rule, group.isScheduled || lr === undefined ? options : saved);
  const reasons = optionsOfOtherKernels(group.rule, rule).map(
    (name) => `${name} is ${quote(rule.options[name])} in the dict and ${quote(group.options[name])} here`,
  );
  if (reasons.length === 0) return rule;
  return fail(`${what}: ${reasons.join(', ')}, which takes other kernels; create it with the saved options.`);
}
