import { quote } from '../../errors.js';
import { layoutOf } from '../../kernel/rule-layout.js';
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
  if (areSameKernels(group.rule, rule)) return rule;
  const different = Object.keys(options).filter(
    (name) => JSON.stringify(options[name]) !== JSON.stringify(group.options[name]),
  );
  // By name, those that alone would need other kernels; where it takes several together, all that differ.
  const alone = different.filter((name) => needsOtherKernels(group.rule, { [name]: options[name] }));
  const reasons = (alone.length > 0 ? alone : different).map(
    (name) => `${name} is ${quote(options[name])} in the dict and ${quote(group.options[name])} here`,
  );
  return fail(`${what}: ${reasons.join(', ')}, which takes other kernels; create it with the saved options.`);
}

function areSameKernels(before: Rule, after: Rule): boolean {
  const [now, then] = [layoutOf(before).switches, layoutOf(after).switches];
  return Object.keys(then).every((name) => now[name] === then[name]);
}

/** Whether one option alone does; one that the others forbid is no case of its own. */
function needsOtherKernels(rule: Rule, option: object): boolean {
  try {
    return !areSameKernels(rule, overrideRule(rule, option));
  } catch {
    return false;
  }
}
