import { quote } from '../../errors.js';
import { fitsFloat32 } from '../../float32.js';
import type { ParameterGroup } from '../parameter-group.js';
import { checkCount, copyRecord, fail, sameKeys } from './check.js';
import { checkOptions } from './check-options.js';
import { checkValues } from './check-values.js';
import type { CheckedGroup, CheckedState, StateDictTarget } from './checked-state.js';
import type { SavedControl } from './state-dict.js';

const CONTROL_COUNTS = ['skipped', 'consecutiveSkips', 'growthTracker'] as const;

/** A dict that fits, but for the values, which are as they were given. */
export type CheckedRun = Omit<CheckedState, 'values'> & { readonly state: unknown };

/**
 * Checks a state dict against an optimizer, changing nothing.
 *
 * @throws OptimizerError `invalid-state-dict`, or `invalid-option` for an option out of range.
 */
export function checkStateDict(dict: unknown, target: StateDictTarget): CheckedState {
  const { state, ...run } = checkRun(dict, target.ruleName, target.groups);
  return { ...run, values: checkValues(state, target) };
}

/** As {@link checkStateDict}, of all but the values. */
export function checkRun(
  dict: unknown,
  ruleName: string,
  targetGroups: readonly ParameterGroup[],
): CheckedRun {
  const { control: givenControl, ...given } = copyRecord(dict, 'the state dict');
  sameKeys(given, ['rule', 'step', 'groups', 'state'], 'the state dict');
  const control = givenControl === undefined ? undefined : checkControl(givenControl);
  if (given['rule'] !== ruleName) {
    fail(
      `the state dict is of rule ${quote(given['rule'])} but this optimizer runs ${quote(ruleName)}; load it into ` +
        'one of its rule.',
    );
  }
  const step = checkCount(given['step'], 'step');
  const groups = checkGroups(given['groups'], step, targetGroups);
  return { step, scheduleStep: step + (control?.skipped ?? 0), groups, control, state: given['state'] };
}

function checkControl(control: unknown): SavedControl {
  const given = copyRecord(control, 'control');
  sameKeys(given, [...CONTROL_COUNTS, 'lossScale'], 'control');
  for (const key of CONTROL_COUNTS) checkCount(given[key], `control.${key}`);
  const { lossScale } = given;
  if (typeof lossScale !== 'number' || !(lossScale > 0) || ![lossScale, 1 / lossScale].every(fitsFloat32)) {
    fail(
      `control.lossScale is ${quote(lossScale)}; give a finite number > 0 that float32 can hold, and its reciprocal, too.`,
    );
  }
  return given as unknown as SavedControl;
}

function checkGroups(saved: unknown, step: number, groups: readonly ParameterGroup[]): CheckedGroup[] {
  if (!Array.isArray(saved) || saved.length !== groups.length) {
    const given = Array.isArray(saved) ? `has ${saved.length} entries` : `is ${quote(saved)}`;
    fail(
      `groups ${given}, but this optimizer has ${groups.length} groups; create it with the parameters grouped as in the ` +
        'dict, or add the groups that are missing with addGroup().',
    );
  }
  return groups.map((group, index) => checkGroup(saved[index], `groups[${index}]`, step, group));
}

function checkGroup(saved: unknown, what: string, step: number, group: ParameterGroup): CheckedGroup {
  const { params, schedule, schedules, joinedAt, steps, ...options } = copyRecord(saved, what);
  const isSame =
    Array.isArray(params) &&
    params.length === group.params.length &&
    group.params.every((name, k) => params[k] === name);
  if (!isSame) {
    fail(
      `${what}: params are ${quote(params)} but this optimizer has ${quote(group.params)}; use the same names and order.`,
    );
  }
  return {
    rule: checkOptions(options, what, group),
    counts: checkCounts(joinedAt, steps, what, step, group.params.length),
    schedules: {
      ...(schedules === undefined ? {} : copyRecord(schedules, `${what}.schedules`)),
      lr: schedule,
    } as CheckedGroup['schedules'],
  };
}

function checkCounts(
  joinedAt: unknown,
  steps: unknown,
  what: string,
  step: number,
  parameterCount: number,
): number[] {
  if (steps === undefined) {
    const joined = joinedAt === undefined ? 0 : checkCount(joinedAt, `${what}.joinedAt`, step);
    return Array.from({ length: parameterCount }, () => step - joined);
  }
  if (joinedAt !== undefined) {
    fail(`${what} has both joinedAt and steps; leave joinedAt out, since steps says it of each parameter.`);
  }
  if (!Array.isArray(steps) || steps.length !== parameterCount) {
    fail(
      `${what}.steps is ${quote(steps)}; give the steps applied to each of its ${parameterCount} parameters.`,
    );
  }
  return Array.from(steps, (count: unknown, k) => checkCount(count, `${what}.steps[${k}]`, step));
}
