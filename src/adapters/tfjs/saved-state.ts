import type { Optimizer } from '../../engine/optimizer.js';
import {
  type GroupState,
  type SavedControl,
  type StateDict,
  describeGroup,
} from '../../engine/saved/state-dict.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { ExportedTensors, type NamedTensor } from './exported-tensors.js';

type Slots = StateDict['state'][string];

/** What a resumed run needs beside weights and options. */
export interface SavedState {
  /** Steps applied. */
  readonly step: number;
  readonly control?: SavedControl;
  /** State by variable, in the order in which the optimizer met them; none for rules without state. */
  readonly slots: ReadonlyMap<string, Slots>;
  /** Steps that each variable has made, in the same order; none if all have made all. */
  readonly steps: ReadonlyMap<string, number>;
}

/** Of an optimizer that has made no step. */
export const NO_STATE: SavedState = { step: 0, slots: new Map(), steps: new Map() };

/** The name of the count of steps, as in tfjs. */
export const STEP = 'iter';
const COUNTS = 'control/counts';
const LOSS_SCALE = 'control/loss_scale';
const STEPS = 'steps';

/**
 * The part of a state dict that is not in the optimizer's config.
 *
 * @param variables names, and what the engine calls them.
 */
export function fromStateDict(
  dict: StateDict,
  variables: readonly { readonly name: string; readonly parameter: string }[],
): SavedState {
  const { step, control, groups, state } = dict;
  const counts = new Map(
    groups.flatMap(({ params, steps: ofGroup, joinedAt = 0 }) =>
      params.map((parameter, k) => [parameter, ofGroup?.[k] ?? step - joinedAt]),
    ),
  );
  const steps = new Map(variables.map(({ name, parameter }) => [name, counts.get(parameter)!]));
  const slots = new Map(variables.map(({ name, parameter }) => [name, state[parameter]!]));
  const isStateless = [...slots.values()].every((values) => Object.keys(values).length === 0);
  return {
    step,
    ...(control && { control }),
    slots: isStateless ? NO_STATE.slots : slots,
    steps: [...steps.values()].every((count) => count === step) ? NO_STATE.steps : steps,
  };
}

/** As tensors: the counters, then `<variable>/<slot>`; an empty `<variable>/` of one without state beside others with. */
export function toTensors({ step, control, steps, slots }: SavedState): ExportedTensors {
  const exported = new ExportedTensors();
  exported.add(STEP, step, 'int32');
  if (control) {
    exported.add(COUNTS, [control.skipped, control.consecutiveSkips, control.growthTracker], 'int32');
    exported.add(LOSS_SCALE, [control.lossScale], 'float32');
  }
  if (steps.size > 0) exported.add(STEPS, [...steps.values()], 'int32');
  for (const [name, ofVariable] of slots) {
    const entries = Object.entries(ofVariable);
    for (const [slot, values] of entries) exported.add(`${name}/${slot}`, values, 'float32');
    // By a rule of others: it counts among the variables all the same.
    if (entries.length === 0) exported.add(`${name}/`, [], 'float32');
  }
  return exported;
}

/**
 * The reverse of {@link toTensors}; the tensors may be disposed as soon as it has been called.
 *
 * @throws OptimizerError `invalid-state-dict` if they are not such tensors.
 */
export async function fromTensors(list: readonly NamedTensor[]): Promise<SavedState> {
  const isNamed = (given: unknown) => isRecord(given) && isRecord(given['tensor']);
  if (!Array.isArray(list) || !list.every(isNamed)) fail(`they are ${quote(list)}`);
  const names = list.map(({ name }) => name);
  const read = await Promise.all(list.map(async (given) => given.tensor.data()));
  const values = new Map(names.map((name, k) => [name, read[k]!]));
  const take = (name: string): number[] | undefined => {
    const taken = values.get(name);
    values.delete(name);
    return taken && Array.from(taken, Number);
  };
  const [step] = take(STEP) ?? fail(`they lack ${quote(STEP)}`);
  const [skipped, consecutiveSkips, growthTracker] = take(COUNTS) ?? [];
  const [lossScale] = take(LOSS_SCALE) ?? [];
  const counts = take(STEPS) ?? [];
  const slots = new Map<string, Slots>();
  for (const [name, slotValues] of values) {
    const cut = name.lastIndexOf('/');
    if (cut < 1) fail(`there is one named ${quote(name)}, which is not <variable>/<slot>`);
    const ofVariable = slots.get(name.slice(0, cut)) ?? {};
    const slot = name.slice(cut + 1);
    if (slot !== '') ofVariable[slot] = Float32Array.from(slotValues);
    slots.set(name.slice(0, cut), ofVariable);
  }
  // Of rules without state, the variables have no names here; they are told by their order then.
  const variables = slots.size > 0 ? [...slots.keys()] : counts.map((_, k) => `${k}`);
  if (counts.length > 0 && counts.length !== variables.length) {
    fail(`they hold state of ${variables.length} variables, but ${quote(STEPS)} of ${counts.length}`);
  }
  return {
    step: step!,
    ...(skipped !== undefined && {
      control: {
        skipped,
        consecutiveSkips: consecutiveSkips!,
        growthTracker: growthTracker!,
        lossScale: lossScale!,
      },
    }),
    slots,
    steps: new Map(counts.map((count, k) => [variables[k]!, count])),
  };
}

/**
 * A saved state under other names: by name if all are known, else by position, as `tf.train.*` do, for tfjs makes names
 * unique by numbers.
 *
 * @param names of all variables, in the order in which the optimizer meets them.
 * @throws OptimizerError `invalid-state-dict` if there are not as many.
 */
export function renameVariables(saved: SavedState, names: readonly string[]): SavedState {
  const savedNames = [...(saved.slots.size > 0 ? saved.slots : saved.steps).keys()];
  if (savedNames.length > 0 && savedNames.length !== names.length) {
    const known = [...saved.slots.keys()].map(quote).join(', ');
    fail(
      `they hold state of ${savedNames.length} variables (${known}), but the first step brings gradients of ` +
        `${names.length}: ${names.map(quote).join(', ')}; let it bring those of all`,
    );
  }
  const isNamed = names.every((name) => saved.slots.has(name));
  const rename = <T>(values: ReadonlyMap<string, T>): Map<string, T> =>
    values.size === 0
      ? new Map()
      : new Map(names.map((name, k) => [name, values.get(isNamed ? name : savedNames[k]!)!]));
  return { ...saved, slots: rename(saved.slots), steps: rename(saved.steps) };
}

/**
 * Gives a fresh engine a saved state.
 *
 * @param saved under the engine's names.
 * @throws OptimizerError `invalid-state-dict` if it does not fit the rule, its options or the variables' shapes.
 */
export function restore(engine: Optimizer, { step, control, slots, steps }: SavedState): void {
  // Saved before the first step: the state is the one to begin with.
  if (step === 0 && !control && slots.size === 0) return;
  const names = engine.groups.flatMap(({ params }) => params);
  engine.loadStateDictSync({
    rule: engine.rule,
    step,
    groups: engine.groups.map((group) => ({
      ...(describeGroup(group) as GroupState),
      steps: group.params.map((name) => steps.get(name) ?? step),
    })),
    state: Object.fromEntries(names.map((name) => [name, slots.get(name) ?? {}])),
    ...(control && { control }),
  });
}

function fail(complaint: string): never {
  throw new OptimizerError(
    'invalid-state-dict',
    `setWeights(): these are not the weights of this optimizer: ${complaint}; give what getWeights() returned.`,
  );
}
