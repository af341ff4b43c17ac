import type { ParameterGroup } from '../engine/parameter-group.js';
import type { GroupState, SavedControl, StateDict } from '../engine/saved/state-dict.js';
import { OptimizerError, quote } from '../errors.js';
import { layoutOf } from '../kernel/rule-layout.js';
import { type Rule, overrideRule } from '../rules/rule.js';
import { isStatefulSchedule } from '../schedules/schedule.js';
import { type NumericArray, isNumericArray } from './numbers.js';
import type { ParameterState } from './parameter-state.js';

/** A run as `ReferenceOptimizer.stateDict` gives it: the engine's `StateDict`, its state in the reference's precision. */
export interface ReferenceStateDict extends Omit<StateDict, 'state'> {
  /** Per parameter and slot, the state: one value per element, or one in all. */
  state: Record<string, Record<string, NumericArray>>;
}

/** A group of the reference, as far as saving and loading go. */
interface SavableGroup {
  readonly group: ParameterGroup;
  readonly parameters: readonly ParameterState[];
}

/** A dict that fits, as it is to be taken over. */
export interface CheckedRun {
  /** Steps applied. */
  readonly step: number;
  /** Per group, its rule with the saved options, and the steps applied to each parameter. */
  readonly groups: readonly { readonly rule: Rule; readonly steps: readonly number[] }[];
  readonly state: ReferenceStateDict['state'];
  readonly control: SavedControl | undefined;
}

/** The largest count that the GPU keeps. */
const MAX_COUNT = 2 ** 32 - 1;

/** The groups and the state of a run whose applied steps are `step`. */
export function describeRun(
  groups: readonly SavableGroup[],
  step: number,
): Pick<ReferenceStateDict, 'groups' | 'state'> {
  const parameters = groups.flatMap((group) => group.parameters);
  const copies = ({ state }: ParameterState) =>
    Object.fromEntries(Object.entries(state).map(([slot, values]) => [slot, values.slice()]));
  return {
    groups: groups.map((group) => describeGroup(group, step)),
    state: Object.fromEntries(parameters.map((parameter) => [parameter.name, copies(parameter)])),
  };
}

function describeGroup({ group, parameters }: SavableGroup, step: number): GroupState {
  const { lr } = group.options;
  const options = Object.entries({ ...group.options, lr: group.lr });
  const copied = options.map(([name, value]) => [
    name,
    Array.isArray(value) ? [...(value as unknown[])] : value,
  ]);
  const counts = parameters.map(({ stepCount }) => stepCount);
  const [first] = counts as [number];
  let history: { joinedAt?: number; steps?: number[] } = {};
  if (counts.some((count) => count !== first)) history = { steps: counts };
  else if (first < step) history = { joinedAt: step - first };
  return {
    params: [...group.params],
    ...Object.fromEntries(copied),
    ...history,
    ...(isStatefulSchedule(lr) && { schedule: lr.state() }),
  };
}

/**
 * Checks a dict against the groups it is to be loaded into, changing nothing.
 *
 * @throws OptimizerError `invalid-state-dict`, or `invalid-option` for an option out of range.
 */
export function checkRun(dict: unknown, groups: readonly SavableGroup[]): CheckedRun {
  if (!isRecord(dict)) fail(`the state dict is ${quote(dict)}; give what stateDict() returned.`);
  const { control, ...required } = dict;
  sameKeys(required, ['rule', 'step', 'groups', 'state'], 'the state dict');
  const { name } = groups[0]!.group.rule;
  if (dict['rule'] !== name) {
    fail(`the state dict is of rule ${quote(dict['rule'])} but this optimizer runs ${quote(name)}.`);
  }
  const step = checkCount(dict['step'], 'step', MAX_COUNT);
  const saved = dict['groups'];
  if (!Array.isArray(saved) || saved.length !== groups.length) {
    fail(`groups is ${quote(saved)}; this optimizer has ${groups.length} of them.`);
  }
  const restored = groups.map(({ group }, g) => checkGroup(group, saved[g], `groups[${g}]`, step));
  checkState(dict['state'], groups);
  return {
    step,
    groups: restored,
    state: dict['state'] as CheckedRun['state'],
    control: control === undefined ? undefined : checkControl(control),
  };
}

/**
 * Gives the groups' schedules the state that a dict holds for them.
 *
 * @throws OptimizerError `invalid-state-dict` if one does not fit; then all are as they were.
 */
export function restoreSchedules(dict: ReferenceStateDict, groups: readonly SavableGroup[]): void {
  const undo: (() => void)[] = [];
  try {
    groups.forEach(({ group }, g) => {
      const { lr } = group.options;
      if (!isStatefulSchedule(lr)) return;
      const { schedule } = dict.groups[g]!;
      if (schedule === undefined) {
        fail(`groups[${g}] lacks the state of its schedule ${quote(lr.kind)}; save it from a run with one.`);
      }
      const before = lr.state();
      lr.loadState(schedule);
      undo.push(() => lr.loadState(before));
    });
  } catch (error) {
    for (const restore of undo) restore();
    throw error;
  }
}

function checkGroup(
  group: ParameterGroup,
  saved: unknown,
  what: string,
  step: number,
): CheckedRun['groups'][number] {
  if (!isRecord(saved)) fail(`${what} is ${quote(saved)}; give what stateDict() returned.`);
  const { params, schedule: _, joinedAt, steps, ...options } = saved;
  const { length } = group.params;
  if (
    !Array.isArray(params) ||
    params.length !== length ||
    group.params.some((name, k) => name !== params[k])
  ) {
    fail(
      `${what}: params are ${quote(params)} but this optimizer has ${quote(group.params)}; use the same names and order.`,
    );
  }
  // A live schedule goes on: it follows the restored step.
  if (group.isScheduled) delete options['lr'];
  const rule = overrideRule(group.rule, options);
  const { switches } = layoutOf(group.rule);
  for (const [name, value] of Object.entries(layoutOf(rule).switches)) {
    if (switches[name] === value) continue;
    fail(
      `${what}: its options give ${name} = ${value} but this optimizer was created with ${switches[name]}; ` +
        'create it with the saved options.',
    );
  }
  return { rule, steps: checkSteps(joinedAt, steps, length, step, what) };
}

/** The steps applied to each of a group's parameters. */
function checkSteps(joinedAt: unknown, steps: unknown, length: number, step: number, what: string): number[] {
  if (steps === undefined) {
    const joined = joinedAt === undefined ? 0 : checkCount(joinedAt, `${what}: joinedAt`, step);
    return Array.from({ length }, () => step - joined);
  }
  if (joinedAt !== undefined) fail(`${what} has both joinedAt and steps; give one of them.`);
  if (!Array.isArray(steps) || steps.length !== length) {
    fail(`${what}: steps is ${quote(steps)}; give the steps applied to each of its ${length} parameters.`);
  }
  return Array.from(steps, (count, k) => checkCount(count, `${what}: steps[${k}]`, step));
}

function checkState(state: unknown, groups: readonly SavableGroup[]): void {
  if (!isRecord(state)) fail(`state is ${quote(state)}; give { [param]: { [slot]: Float32Array } }.`);
  const parameters = groups.flatMap((group) => group.parameters);
  sameKeys(
    state,
    parameters.map(({ name }) => name),
    'state',
  );
  for (const { name, state: slots } of parameters) {
    const what = `state of parameter ${quote(name)}`;
    const given = state[name];
    if (!isRecord(given)) fail(`${what} is ${quote(given)}; give { [slot]: Float32Array }.`);
    sameKeys(given, Object.keys(slots), what);
    for (const [slot, { length }] of Object.entries(slots)) {
      const values = given[slot];
      if (!isNumericArray(values)) fail(`${what}: ${slot} is ${quote(values)}; give a Float32Array.`);
      if (values.length !== length) {
        fail(`${what}: ${slot} has ${values.length} elements but this optimizer keeps ${length}.`);
      }
    }
  }
}

function checkControl(control: unknown): SavedControl {
  if (!isRecord(control)) fail(`control is ${quote(control)}; give what stateDict() returned.`);
  const counts = ['skipped', 'consecutiveSkips', 'growthTracker'];
  sameKeys(control, [...counts, 'lossScale'], 'control');
  for (const key of counts) checkCount(control[key], `control.${key}`, MAX_COUNT);
  const { lossScale } = control;
  if (typeof lossScale !== 'number' || !(Math.fround(lossScale) > 0 && Math.fround(lossScale) < Infinity)) {
    fail(`control.lossScale is ${quote(lossScale)}; give a number > 0 that float32 holds.`);
  }
  return control as unknown as SavedControl;
}

function checkCount(value: unknown, what: string, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
  fail(`${what} is ${quote(value)}; give an integer from 0 to ${most}.`);
}

function sameKeys(got: object, want: readonly string[], what: string): void {
  const known = new Set(want);
  const missing = want.filter((key) => !(key in got));
  const extra = Object.keys(got).filter((key) => !known.has(key));
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

function fail(message: string): never {
  throw new OptimizerError('invalid-state-dict', message);
}
