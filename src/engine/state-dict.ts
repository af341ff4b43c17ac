import { OptimizerError, quote } from '../errors.js';
import { kernelDifference } from '../kernel/rule-layout.js';
import { isPerTensor, usedSlots } from '../kernel/variant.js';
import { type Rule, overrideRule } from '../rules/rule.js';
import { type ScheduleState, isStatefulSchedule } from '../schedules/schedule.js';
import type { ControlState } from './control/control-state.js';
import type { ParameterGroup } from './group.js';

/** Options of a group as plain data; a schedule is saved as the learning rate it gives at the saved step. */
export interface GroupState {
  /** Names of the group's parameters. */
  params: string[];
  /** Steps applied before the group was added, if any. */
  joinedAt?: number;
  /** State of the group's schedule, if it has any, as `reduceOnPlateau`. */
  schedule?: ScheduleState;
  [option: string]: unknown;
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
  /** What the control pass keeps, if the optimizer clips, skips or has a dynamic loss scale. */
  control?: SavedControl;
}

/** The part of the control pass's state that a resumed run needs. */
export type SavedControl = Pick<ControlState, 'skipped' | 'consecutiveSkips' | 'growthTracker' | 'lossScale'>;

/** What the optimizer that loads a dict knows of itself. */
export interface StateDictTarget {
  readonly ruleName: string;
  readonly groups: readonly ParameterGroup[];
  /** Element count of each parameter. */
  readonly elementCounts: ReadonlyMap<string, number>;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-state-dict', message);
}

/** The group part of a state dict. */
export function describeGroup(group: ParameterGroup): GroupState {
  const { lr } = group.options;
  const schedule = isStatefulSchedule(lr) ? { schedule: lr.state() } : {};
  const joined = group.joinedAt > 0 ? { joinedAt: group.joinedAt } : {};
  return { params: [...group.params], ...group.options, lr: group.lr, ...joined, ...schedule };
}

function sameKeys(got: object, want: readonly string[], what: string): void {
  const missing = want.filter((key) => !(key in got));
  const extra = Object.keys(got).filter((key) => !want.includes(key));
  if (missing.length === 0 && extra.length === 0) return;
  const complaints = [
    ...(missing.length > 0 ? [`lacks ${missing.map(quote).join(', ')}`] : []),
    ...(extra.length > 0 ? [`has ${extra.map(quote).join(', ')}, unknown to this optimizer`] : []),
  ];
  fail(`${what} ${complaints.join(' and ')}; save it from an optimizer of the same configuration.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkControl(control: unknown): void {
  if (!isRecord(control)) fail(`control is ${quote(control)}; give what stateDict() returned.`);
  const counts = ['skipped', 'consecutiveSkips', 'growthTracker'];
  sameKeys(control, [...counts, 'lossScale'], 'control');
  for (const [key, value] of Object.entries(control)) {
    const isCount = counts.includes(key);
    const valid = typeof value === 'number' && (isCount ? Number.isInteger(value) && value >= 0 : value > 0);
    if (!valid) fail(`control.${key} is ${quote(value)}; give what stateDict() returned.`);
  }
}

/** The rule of a group with the options of a saved one, if they fit the kernels that are compiled. */
function restoreRule(group: ParameterGroup, saved: unknown, index: number): Rule {
  const what = `groups[${index}]`;
  if (!isRecord(saved)) fail(`${what} is ${quote(saved)}; give what stateDict() returned.`);
  const { params, schedule: _, joinedAt = 0, ...options } = saved;
  if (!Number.isInteger(joinedAt) || (joinedAt as number) < 0) {
    fail(`${what}: joinedAt is ${quote(joinedAt)}; give the steps applied before the group was added.`);
  }
  if (
    !Array.isArray(params) ||
    params.length !== group.params.length ||
    params.some((name, k) => name !== group.params[k])
  ) {
    fail(
      `${what}: params are ${quote(params)} but this optimizer has ${quote(group.params)}; use the same names and order.`,
    );
  }
  // A live schedule goes on: it follows the restored step.
  if (group.isScheduled) delete options['lr'];
  const rule = overrideRule(group.rule, options);
  const difference = kernelDifference(rule, group.rule);
  if (difference !== undefined) {
    fail(
      `${what}: its options have ${difference}, for which other kernels are needed; create it with the saved options.`,
    );
  }
  return rule;
}

/**
 * Checks a state dict against an optimizer, changing nothing.
 *
 * @returns the rules to give to the groups.
 * @throws OptimizerError `invalid-state-dict`, or `invalid-option` for an option out of range.
 */
export function checkStateDict(dict: StateDict, target: StateDictTarget): Rule[] {
  if (!isRecord(dict)) fail(`the state dict is ${quote(dict)}; give what stateDict() returned.`);
  const { control, ...required } = dict;
  sameKeys(required, ['rule', 'step', 'groups', 'state'], 'the state dict');
  if (control !== undefined) checkControl(control);
  if (dict.rule !== target.ruleName) {
    fail(`the state dict is of rule ${quote(dict.rule)} but this optimizer runs ${quote(target.ruleName)}.`);
  }
  if (!Number.isInteger(dict.step) || dict.step < 0) {
    fail(`step is ${quote(dict.step)}; give the number of steps applied, an integer ≥ 0.`);
  }
  if (!Array.isArray(dict.groups) || dict.groups.length !== target.groups.length) {
    fail(`groups is ${quote(dict.groups)}; this optimizer has ${target.groups.length} of them.`);
  }
  const rules = target.groups.map((group, index) => restoreRule(group, dict.groups[index], index));
  if (!isRecord(dict.state))
    fail(`state is ${quote(dict.state)}; give { [param]: { [slot]: Float32Array } }.`);
  sameKeys(dict.state, [...target.elementCounts.keys()], 'state');
  for (const group of target.groups) {
    const slots = usedSlots(group.rule);
    for (const name of group.params) {
      const what = `state of parameter ${quote(name)}`;
      const slotsGiven = dict.state[name];
      if (!isRecord(slotsGiven)) fail(`${what} is ${quote(slotsGiven)}; give { [slot]: Float32Array }.`);
      sameKeys(slotsGiven, slots, what);
      for (const slot of slots) {
        const values: unknown = slotsGiven[slot];
        const valueCount = isPerTensor(group.rule, slot) ? 1 : target.elementCounts.get(name)!;
        if (!(values instanceof Float32Array))
          fail(`${what}: ${slot} is ${quote(values)}; give a Float32Array.`);
        if (values.length !== valueCount) {
          fail(`${what}: ${slot} has ${values.length} elements but this optimizer keeps ${valueCount}.`);
        }
      }
    }
  }
  return rules;
}

/**
 * Gives the groups' schedules the state that a dict holds for them.
 *
 * @throws OptimizerError `invalid-state-dict` if one does not fit; then all are as they were.
 */
export function restoreSchedules(dict: StateDict, groups: readonly ParameterGroup[]): void {
  const undo: (() => void)[] = [];
  try {
    groups.forEach(({ options: { lr } }, index) => {
      if (!isStatefulSchedule(lr)) return;
      const saved = dict.groups[index]!.schedule;
      if (saved === undefined) {
        fail(
          `groups[${index}] lacks the state of its schedule ${quote(lr.kind)}; save it from a run with one.`,
        );
      }
      const before = lr.state();
      lr.loadState(saved);
      undo.push(() => lr.loadState(before));
    });
  } catch (error) {
    for (const restore of undo) restore();
    throw error;
  }
}
