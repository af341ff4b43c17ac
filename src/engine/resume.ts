import type { Roster } from './roster.js';
import { type StateDict, checkStateDict, describeGroup, restoreSchedules } from './state-dict.js';
import type { StepLog } from './step-log.js';

/** Everything that a resumed run needs beside the parameters, as it is behind the steps submitted so far. */
export async function saveState(roster: Roster, log: StepLog): Promise<StateDict> {
  await roster.joined;
  const rule = roster.groups[0]!.rule.name;
  const groups = roster.groups.map(describeGroup);
  const stepCount = log.count;
  const control = roster.runner.stats?.read();
  const state = await roster.table.readAllState();
  if (!control) return { rule, step: stepCount, groups, state };
  const { step, skipped, consecutiveSkips, growthTracker, lossScale } = await control;
  return { rule, step, groups, state, control: { skipped, consecutiveSkips, growthTracker, lossScale } };
}

/**
 * Restores what {@link saveState} gave; none of it takes waiting.
 *
 * @throws OptimizerError `invalid-state-dict` if the dict does not fit; nothing changes then.
 */
export function restoreState(dict: StateDict, { config, runner, groups, table }: Roster, log: StepLog): void {
  const ruleName = groups[0]!.rule.name;
  const rules = checkStateDict(dict, { ruleName, groups, elementCounts: table.elementCounts });
  restoreSchedules(dict, groups);
  rules.forEach((rule, g) => {
    groups[g]!.replaceRule(rule);
    groups[g]!.joinedAt = dict.groups[g]!.joinedAt ?? 0;
  });
  runner.evaluations.setRules(rules);
  const { lossScale } = config.gradients;
  const control = dict.control ?? { skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale };
  log.count = dict.step + control.skipped;
  const joinedAt = groups.map((group) => group.joinedAt);
  runner.control?.restore({ step: dict.step, ...control }, rules, joinedAt);
  table.writeAllState(dict.state);
}
