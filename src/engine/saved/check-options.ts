import { OptimizerError, quote } from '../../errors.js';
import { optionsOfOtherKernels, otherState } from '../../kernel/rule-layout.js';
import { movesOf } from '../../rules/options/moving.js';
import type { OptionSpec } from '../../rules/options/options.js';
import { type Rule, overrideRule } from '../../rules/rule.js';
import type { ParameterGroup } from '../parameter-group.js';
import { fail } from './check.js';

/**
 * The rule of a group with saved options, if they fit the kernels that are compiled.
 *
 * @param what the group, for errors.
 * @throws OptimizerError `invalid-state-dict` for an option that there is none of, or out of range, and if others are needed.
 */
export function checkOptions(
  saved: Readonly<Record<string, unknown>>,
  what: string,
  group: ParameterGroup,
): Rule {
  const rule = savedRule(saved, what, group.rule);
  const { needed, left } = otherState(group.rule, rule);
  const keepsState = needed.length === 0 && left.length === 0;
  // Numbers change in the course of a run, and kernels follow them.
  const others = optionsOfOtherKernels(group.rule, rule).filter(
    (name) => !keepsState || !isNumeric(rule.declaration.options[name]!),
  );
  const reasons = others.map(
    (name) => `${name} is ${quote(rule.options[name])} in the dict and ${quote(group.options[name])} here`,
  );
  if (reasons.length === 0) return rule;
  return fail(`${what}: ${reasons.join(', ')}, which takes other kernels; create it with the saved options.`);
}

function savedRule(saved: Readonly<Record<string, unknown>>, what: string, rule: Rule): Rule {
  try {
    return overrideRule(rule, withLiveSchedules(saved, rule));
  } catch (error) {
    if (!(error instanceof OptimizerError)) throw error;
    return fail(`${what}: ${error.message}`);
  }
}

const isNumeric = ({ moves, entry }: OptionSpec<unknown>): boolean => moves === true || entry !== undefined;

/** Saved options, but that live schedules go on: they follow the restored step. */
function withLiveSchedules(
  saved: Readonly<Record<string, unknown>>,
  { options }: Rule,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...saved };
  for (const { option, entry, schedule } of movesOf(options)) {
    const list = merged[option];
    if (entry === undefined) merged[option] = schedule;
    else if (Array.isArray(list)) merged[option] = list.with(entry, schedule);
  }
  return merged;
}
