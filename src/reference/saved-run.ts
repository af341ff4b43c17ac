import { fail, sameKeys } from '../engine/saved/check.js';
import { matchSlots, rejectMisfits } from '../engine/saved/check-values.js';
import {
  type GroupState,
  type LoadedNames,
  type StateDict,
  describeCounts,
  describeGroup,
} from '../engine/saved/state-dict.js';
import type { ParameterGroup } from '../engine/parameter-group.js';
import { isRecord, quote } from '../errors.js';
import { type NumericArray, isNumericArray } from './arithmetic/numbers.js';
import type { ParameterState } from './tensor/parameter-state.js';

/** A run as `ReferenceOptimizer.stateDict` gives it: the engine's `StateDict`, its state in the reference's precision. */
export interface ReferenceStateDict extends Omit<StateDict, 'state'> {
  /** Per parameter and slot, the state: one value per element, or one in all. */
  state: Record<string, Record<string, NumericArray>>;
}

/** A group of the reference, as far as saving goes. */
interface SavableGroup {
  readonly group: ParameterGroup;
  readonly parameters: readonly ParameterState[];
}

/** The groups and the state of a run whose applied steps are `step`. */
export function describeRun(
  groups: readonly SavableGroup[],
  step: number,
): Pick<ReferenceStateDict, 'groups' | 'state'> {
  const copies = ({ state }: ParameterState) =>
    Object.fromEntries(Object.entries(state).map(([slot, values]) => [slot, values.slice()]));
  return {
    groups: groups.map(({ group, parameters }) => {
      const counts = parameters.map(({ stepCount }) => stepCount);
      return { ...describeGroup(group), ...describeCounts(step, counts) } as GroupState;
    }),
    state: Object.fromEntries(
      groups.flatMap(({ parameters }) => parameters.map((parameter) => [parameter.name, copies(parameter)])),
    ),
  };
}

/**
 * Checks the state in a dict against the parameters that it is for.
 *
 * @param names what the dict's groups have, and which of it is here.
 * @param isStrict whether averages must be those that there are.
 * @returns per parameter that the dict has and slot, the values to be taken over.
 * @throws OptimizerError `invalid-state-dict` naming the parameter and the slot.
 */
export function checkArrays(
  state: unknown,
  groups: readonly SavableGroup[],
  { loaded, unexpected }: Pick<LoadedNames, 'loaded' | 'unexpected'>,
  isStrict: boolean,
): ReadonlyMap<string, Readonly<Record<string, NumericArray>>> {
  if (!isRecord(state)) fail(`state is ${quote(state)}; give { [param]: { [slot]: Float32Array } }.`);
  sameKeys(state, [...loaded, ...unexpected], 'state');
  const isLoaded = new Set(loaded);
  const checked = new Map<string, Readonly<Record<string, NumericArray>>>();
  for (const { group, parameters } of groups) {
    for (const { name, state: own } of parameters) {
      if (!isLoaded.has(name)) continue;
      const what = `state of parameter ${quote(name)}`;
      const given = state[name];
      if (!isRecord(given)) fail(`${what} is ${quote(given)}; give { [slot]: Float32Array }.`);
      const ofSlot: Record<string, NumericArray> = {};
      for (const { name: slot, codec } of matchSlots(given, group.rule, what, isStrict)) {
        ofSlot[slot] = checkArray(given[slot], own[slot]!.length, `${what}: ${slot}`);
        rejectMisfits(codec, ofSlot[slot], `${what}: ${slot}`);
      }
      checked.set(name, ofSlot);
    }
  }
  return checked;
}

function checkArray(values: unknown, length: number, what: string): NumericArray {
  if (!isNumericArray(values)) return fail(`${what} is ${quote(values)}; give a Float32Array.`);
  if (values.length === length) return values;
  return fail(`${what} has ${values.length} elements but this optimizer keeps ${length}.`);
}
