import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { fitsFloat32 } from '../../float32.js';
import { copyGiven } from '../../given.js';
import type { ParameterGroup } from '../parameter-group.js';
import { checkCount, copyRecord, fail, sameKeys } from './check.js';
import { checkGroups, matchGroups } from './check-groups.js';
import { type AcceptValues, checkValues } from './check-values.js';
import type { CheckedState, StateDictTarget } from './checked-state.js';
import type { LoadOptions, SavedControl } from './state-dict.js';

const LOAD_KEYS = ['strict'] satisfies (keyof LoadOptions)[];
const CONTROL_COUNTS = ['skipped', 'consecutiveSkips', 'growthTracker'] as const;

/** A dict that fits, but for the values, which are as they were given. */
export type CheckedRun = Omit<CheckedState<never>, 'values'> & { readonly state: unknown };

/**
 * Checks what loading is told.
 *
 * @param call for errors.
 * @returns whether it is strict.
 * @throws OptimizerError `invalid-config` unless these are its options.
 */
export function checkLoadOptions(options: unknown, call: string): boolean {
  if (options !== undefined && !isRecord(options)) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: the options are ${quote(options)}; give { strict: false }, or nothing.`,
    );
  }
  const given = copyGiven(options ?? {}, LOAD_KEYS);
  rejectUnknownKeys(given, LOAD_KEYS, call, 'invalid-config');
  const { strict = true } = given;
  if (typeof strict === 'boolean') return strict;
  throw new OptimizerError('invalid-config', `${call}: strict is ${quote(strict)}; give true or false.`);
}

/**
 * Checks a state dict against an optimizer, changing nothing.
 *
 * @param isStrict whether it must have just the parameters that there are, in the same groups and order.
 * @param accept what of the values is taken.
 * @throws OptimizerError `invalid-state-dict`, or `invalid-option` for an option out of range.
 */
export function checkStateDict<V>(
  dict: unknown,
  target: StateDictTarget,
  isStrict: boolean,
  accept: AcceptValues<V>,
): CheckedState<V> {
  const { state, ...run } = checkRun(dict, target.ruleName, target.groups, isStrict);
  return { ...run, values: checkValues(state, target, run.names, isStrict, accept) };
}

/** As {@link checkStateDict}, of all but the values. */
export function checkRun(
  dict: unknown,
  ruleName: string,
  targetGroups: readonly ParameterGroup[],
  isStrict = true,
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
  const matched = (isStrict ? checkGroups : matchGroups)(given['groups'], step, targetGroups);
  return { step, scheduleStep: step + (control?.skipped ?? 0), ...matched, control, state: given['state'] };
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
