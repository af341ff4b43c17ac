import { quote } from '../../errors.js';
import { isStatefulSchedule } from '../../schedules/schedule.js';
import type { ParameterGroup } from '../parameter-group.js';
import { fail } from './check.js';
import type { CheckedGroup } from './checked-state.js';

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
    groups.forEach(({ options: { lr } }, index) => {
      if (!isStatefulSchedule(lr)) return;
      const { schedule } = saved[index]!;
      if (schedule === undefined) {
        if (!isStrict) return;
        fail(
          `groups[${index}] lacks the state of its schedule ${quote(lr.kind)}; save it from a run with one.`,
        );
      }
      const before = lr.state();
      // First: one of the caller's own may refuse a state halfway.
      undoes.push(() => lr.loadState(before));
      lr.loadState(schedule);
    });
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}
