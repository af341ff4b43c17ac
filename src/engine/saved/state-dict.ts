import { movesOf, nameOfMove } from '../../rules/options/moving.js';
import { type ScheduleState, type StatefulSchedule, isStatefulSchedule } from '../../schedules/schedule.js';
import type { ParameterGroup } from '../parameter-group.js';

/** Options of a group as plain data; a schedule is saved as the number that it gives at the saved step. */
export interface GroupState {
  /** Names of the group's parameters. */
  params: string[];
  /** Steps applied before the group took part, if any: its parameters have made that many fewer. */
  joinedAt?: number;
  /** Steps applied to each of `params`, where they have not all made the same number. */
  steps?: number[];
  /** State of the learning rate's schedule, if it has any, as `reduceOnPlateau`. */
  schedule?: ScheduleState;
  /** States of schedules of other options that have any, by name: `weightDecay`, `betas[0]`. */
  schedules?: Record<string, ScheduleState>;
  [option: string]: unknown;
}

/** The part of the control stage's state that a resumed run needs. */
export interface SavedControl {
  /** Steps skipped. */
  skipped: number;
  consecutiveSkips: number;
  /** Steps with finite gradients since the loss scale last changed. */
  growthTracker: number;
  lossScale: number;
}

/** Everything that a resumed run needs beside the parameters themselves; plain data. */
export interface StateDict {
  /** Name of the rule. */
  rule: string;
  /** Number of steps applied; skipped ones do not count. */
  step: number;
  /** Per group, the names of its parameters and its options. */
  groups: GroupState[];
  /** Per parameter and slot, the state: one value per element, or one in all. */
  state: Record<string, Record<string, Float32Array<ArrayBuffer>>>;
  /** What the control stage keeps, if the optimizer clips, skips or has a dynamic loss scale. */
  control?: SavedControl;
}

/** What `loadStateDict` is told beside the dict. */
export interface LoadOptions {
  /**
   * Whether the dict must have just the parameters that there are, in the same groups and order. Default true. If false,
   * state is matched by the parameters' names alone; see `Optimizer.loadStateDict`.
   */
  strict?: boolean;
}

/** What became of the names of parameters, in the optimizer and in the dict. */
export interface LoadedNames {
  /** Parameters that have the dict's state now, in the optimizer's order. */
  loaded: string[];
  /** Parameters that the dict does not have; they are as they were. */
  missing: string[];
  /** Parameters of the dict that the optimizer does not have, in the dict's order. */
  unexpected: string[];
}

/** What a group adds to a state dict at the moment of the call, but for the counts, which the GPU may have to tell. */
export type DescribedGroup = Omit<GroupState, 'joinedAt' | 'steps'>;

/** The options of a group as they are now; nothing in them is shared. */
export function describeGroup(group: ParameterGroup): DescribedGroup {
  const options = Object.entries(group.options).map(([name, value]) => [name, copyOption(value)] as const);
  const states = [...statefulSchedules(group)].map(([name, schedule]) => [name, schedule.state()] as const);
  const { lr: schedule, ...schedules } = Object.fromEntries(states);
  return {
    params: [...group.params],
    ...Object.fromEntries(options),
    ...(schedule && { schedule }),
    ...(Object.keys(schedules).length > 0 && { schedules }),
  };
}

/** The schedules of a group that have state to save, by name; the learning rate's is `lr`. */
export function statefulSchedules({ rule }: ParameterGroup): Map<string, StatefulSchedule> {
  return new Map(
    movesOf(rule.options).flatMap((move) =>
      isStatefulSchedule(move.schedule) ? [[nameOfMove(move), move.schedule]] : [],
    ),
  );
}

const copyOption = (value: unknown): unknown => (Array.isArray(value) ? value.map(copyOption) : value);

/**
 * The part of a state dict that tells how many steps each parameter has made.
 *
 * @param step steps applied in all.
 * @param counts steps applied to each of the group's parameters, in order.
 */
export function describeCounts(
  step: number,
  counts: readonly number[],
): Pick<GroupState, 'joinedAt' | 'steps'> {
  const first = counts[0]!;
  if (counts.some((count) => count !== first)) return { steps: [...counts] };
  return first < step ? { joinedAt: step - first } : {};
}
