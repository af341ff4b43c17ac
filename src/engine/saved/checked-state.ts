import type { Rule } from '../../rules/rule.js';
import type { ScheduleState } from '../../schedules/schedule.js';
import type { ParameterGroup } from '../parameter-group.js';
import type { LoadedNames, SavedControl } from './state-dict.js';

/** How many elements a parameter has, and the lengths of its axes, if they are known. */
export interface ParameterSize {
  readonly elementCount: number;
  readonly shape?: readonly number[] | undefined;
}

/** What the optimizer that loads a dict knows of itself. */
export interface StateDictTarget {
  readonly ruleName: string;
  readonly groups: readonly ParameterGroup[];
  /** A parameter's sizes, by its name. */
  readonly sizeOf: (name: string) => ParameterSize;
}

/** A group of a dict that fits. */
export interface CheckedGroup {
  /** The group's rule with the saved options; a live schedule stays. */
  readonly rule: Rule;
  /** Steps applied to each of its parameters, in order; undefined for those that the dict does not have. */
  readonly counts: readonly (number | undefined)[];
  /** States of its schedules by name, as they were saved; the learning rate's is `lr`. */
  readonly schedules: Readonly<Record<string, ScheduleState | undefined>>;
}

/** Per parameter that the dict has and slot, the values to be written. Averages that the dict does not have are left out. */
export type StateValues<V> = ReadonlyMap<string, ReadonlyMap<string, V>>;

/** A state dict that fits: copied but for the values, which are the dict's own where they are plain float32 arrays. */
export interface CheckedState<V> {
  /** Steps applied. */
  readonly step: number;
  /** Steps asked for, those that were skipped included: where schedules go on. */
  readonly scheduleStep: number;
  readonly groups: readonly CheckedGroup[];
  readonly names: LoadedNames;
  readonly values: StateValues<V>;
  readonly control: Readonly<SavedControl> | undefined;
}
