import { OptimizerError, quote } from '../errors.js';
import type { LearningRate } from '../rules/options/options.js';

/**
 * A learning rate that depends on the step: give it to a rule as `lr`. It is called on the host once per step with
 * the 0-based step, and returns a finite number ≥ 0. All of `schedules` but `reduceOnPlateau` are pure: the same
 * step always gives the same rate, so a training run resumes at any step with nothing to save.
 */
export interface LearningRateSchedule {
  (step: number): number;
}

/** What a {@link ScheduleState} may hold: what JSON can, so that a checkpoint keeps it as it is. */
export type ScheduleValue =
  | number
  | string
  | boolean
  | null
  | readonly ScheduleValue[]
  | { readonly [key: string]: ScheduleValue };

/** The state of a {@link StatefulSchedule}: plain data, with the kind of the schedule that it belongs to. */
export interface ScheduleState {
  readonly kind: string;
  readonly [key: string]: ScheduleValue;
}

/** A schedule whose rate depends on more than the step, and which therefore belongs in a checkpoint. */
export interface StatefulSchedule extends LearningRateSchedule {
  /** Which schedule this is; a state of another kind is refused. */
  readonly kind: string;
  /** A copy of all that decides the coming rates, options aside. */
  state(): ScheduleState;
  /**
   * Goes on from a state that `state()` returned.
   *
   * @throws OptimizerError `invalid-state-dict` if it does not fit; then nothing has changed.
   */
  loadState(state: ScheduleState): void;
}

/** Whether a value, such as the `lr` of a group, is a schedule with state to save. */
export function isStatefulSchedule(value: unknown): value is StatefulSchedule {
  if (typeof value !== 'function') return false;
  const { kind, state, loadState } = value as Partial<StatefulSchedule>;
  return typeof kind === 'string' && typeof state === 'function' && typeof loadState === 'function';
}

/** A number as the schedule that always returns it. */
export function toSchedule(lr: LearningRate): LearningRateSchedule {
  return typeof lr === 'number' ? () => lr : lr;
}

/**
 * Lets a schedule that is made of others carry the state of those that have any. One without such parts is
 * returned as it is: a plain function.
 */
export function withStateOf(
  kind: string,
  schedule: LearningRateSchedule,
  parts: readonly LearningRate[],
): LearningRateSchedule {
  const stateful = parts.filter(isStatefulSchedule);
  if (stateful.length === 0) return schedule;
  const states = () => stateful.map((part) => part.state());
  const load = (given: readonly ScheduleState[]) => stateful.forEach((part, i) => part.loadState(given[i]!));
  const members: Pick<StatefulSchedule, 'kind' | 'state' | 'loadState'> = {
    kind,
    state: () => ({ kind, schedules: states() }),
    loadState(given) {
      const schedules = checkKind(given, kind)['schedules'];
      if (!Array.isArray(schedules) || schedules.length !== stateful.length) {
        throw new OptimizerError(
          'invalid-state-dict',
          `schedules.${kind}: the state holds ${quote(schedules)}; this one needs the states of ` +
            `${stateful.length} schedule(s). Build the schedule as it was when the state was saved.`,
        );
      }
      const before = states();
      try {
        load(schedules as readonly ScheduleState[]);
      } catch (error) {
        load(before);
        throw error;
      }
    },
  };
  return Object.assign(schedule, members);
}

/** Returns a state if it is one of this kind. */
export function checkKind(state: unknown, kind: string): ScheduleState {
  const found = (state as Partial<ScheduleState> | null | undefined)?.kind;
  if (found === kind) return state as ScheduleState;
  throw new OptimizerError(
    'invalid-state-dict',
    `schedules.${kind}: the state is ${found === undefined ? quote(state) : `of kind ${quote(found)}`}; ` +
      `give one that state() of a schedule of kind ${quote(kind)} returned.`,
  );
}
