import { fail, sameKeys } from '../engine/saved/check.js';
import {
  type GroupState,
  type StateDict,
  describeCounts,
  describeGroup,
} from '../engine/saved/state-dict.js';
import type { ParameterGroup } from '../engine/parameter-group.js';
import { isRecord, quote } from '../errors.js';
import { type NumericArray, isNumericArray } from './numbers.js';
import type { ParameterState } from './parameter-state.js';

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
 * @throws OptimizerError `invalid-state-dict` naming the parameter and the slot.
 */
export function checkArrays(
  state: unknown,
  parameters: Iterable<ParameterState>,
): asserts state is ReferenceStateDict['state'] {
  if (!isRecord(state)) fail(`state is ${quote(state)}; give { [param]: { [slot]: Float32Array } }.`);
  const all = [...parameters];
  sameKeys(
    state,
    all.map(({ name }) => name),
    'state',
  );
  for (const { name, state: slots } of all) {
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
