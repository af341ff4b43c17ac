import { quote } from '../../errors.js';
import type { ParameterGroup } from '../parameter-group.js';
import { fail } from './check.js';
import type { CheckedGroup } from './checked-state.js';
import { statefulSchedules } from './state-dict.js';

/**
 * Gives the groups' schedules the state that a dict holds for them.
 *
 * @param isStrict whether it must hold one for each that has any; else such schedules go on as they are.
 * @returns what takes it back.
 * @throws OptimizerError `invalid-state-dict` if one does not fit; then all are as they were.
 */
export function restoreSchedules(
  saved: readonly CheckedGroup[],
  groups: readonly ParameterGroup[],
  isStrict = true,
): () => void {
  const undoes: (() => void)[] = [];
  const undo = () => {
    for (const takeBack of undoes.toReversed()) takeBack();
  };
  try {
    groups.forEach((group, index) => {
      for (const [name, schedule] of statefulSchedules(group)) {
        const state = saved[index]!.schedules[name];
        if (state === undefined) {
          if (!isStrict) continue;
          fail(
            `groups[${index}] lacks the state of its ${name === 'lr' ? '' : `${name} `}schedule ${quote(schedule.kind)}; save it from a run with one.`,
          );
        }
        const before = schedule.state();
        // First: one of the caller's own may refuse a state halfway.
        undoes.push(() => schedule.loadState(before));
        schedule.loadState(state);
      }
    });
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}
