import { type Tensor, scalar, tensor } from '@tensorflow/tfjs-core';
import type { Optimizer } from '../../engine/optimizer.js';
import { type SavedControl, type StateDict, describeGroup } from '../../engine/saved/state-dict.js';
import { OptimizerError, quote } from '../../errors.js';

/** A tensor with a name, as tfjs's optimizers hand them out. */
export interface NamedTensor {
  name: string;
  tensor: Tensor;
}

type Slots = StateDict['state'][string];

/** What a resumed run needs beside weights and options. */
export interface SavedState {
  /** Steps applied. */
  readonly step: number;
  readonly control?: SavedControl;
  /** Variables in the order in which the optimizer met them; none for rules without state. */
  readonly variables: readonly { readonly name: string; readonly slots: Slots }[];
  /** Per variable, the steps applied before the optimizer met it; empty if all are 0. */
  readonly joined: readonly number[];
}

const STEP = 'iter';
const COUNTS = 'control/counts';
const LOSS_SCALE = 'control/loss_scale';
const JOINED = 'joined';

/**
 * The part of a state dict that is not in the optimizer's config.
 *
 * @param order the variables' names.
 */
export function fromStateDict(dict: StateDict, order: readonly string[]): SavedState {
  const { step, control, groups, state } = dict;
  const joinedAt = new Map(
    groups.flatMap(({ params, joinedAt: at = 0 }) => params.map((name) => [name, at])),
  );
  const joined = order.map((name) => joinedAt.get(name)!);
  const variables = order.map((name) => ({ name, slots: state[name]! }));
  return {
    step,
    ...(control && { control }),
    variables: variables.filter(({ slots }) => Object.keys(slots).length > 0),
    joined: joined.some((at) => at > 0) ? joined : [],
  };
}

/** As tensors: the counters, then `<variable>/<slot>`. */
export function toTensors({ step, control, joined, variables }: SavedState): NamedTensor[] {
  const list: NamedTensor[] = [{ name: STEP, tensor: scalar(step, 'int32') }];
  const add = (name: string, values: readonly number[] | Float32Array, dtype: 'int32' | 'float32') =>
    list.push({ name, tensor: tensor(values as number[], [values.length], dtype) });
  if (control) {
    add(COUNTS, [control.skipped, control.consecutiveSkips, control.growthTracker], 'int32');
    add(LOSS_SCALE, [control.lossScale], 'float32');
  }
  if (joined.length > 0) add(JOINED, joined, 'int32');
  for (const { name, slots } of variables) {
    for (const [slot, values] of Object.entries(slots)) add(`${name}/${slot}`, values, 'float32');
  }
  return list;
}

/**
 * The reverse of {@link toTensors}; the tensors may be disposed then.
 *
 * @throws OptimizerError `invalid-state-dict` if they are not such tensors.
 */
export async function fromTensors(list: readonly NamedTensor[]): Promise<SavedState> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name, tensor: given } of list) values.set(name, Float32Array.from(await given.data()));
  const take = (name: string): number[] | undefined => {
    const taken = values.get(name);
    values.delete(name);
    return taken && [...taken];
  };
  const [step] = take(STEP) ?? fail(`they lack ${quote(STEP)}`);
  const [skipped, consecutiveSkips, growthTracker] = take(COUNTS) ?? [];
  const [lossScale] = take(LOSS_SCALE) ?? [];
  const joined = take(JOINED) ?? [];
  const variables = new Map<string, Slots>();
  for (const [name, slotValues] of values) {
    const cut = name.lastIndexOf('/');
    if (cut < 1) fail(`there is one named ${quote(name)}, which is not <variable>/<slot>`);
    const slots = variables.get(name.slice(0, cut)) ?? {};
    slots[name.slice(cut + 1)] = slotValues;
    variables.set(name.slice(0, cut), slots);
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
    variables: [...variables].map(([name, slots]) => ({ name, slots })),
    joined,
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
  const { variables, joined } = saved;
  const savedCount = Math.max(variables.length, joined.length);
  if (savedCount > 0 && savedCount !== names.length) {
    const known = variables.map(({ name }) => quote(name)).join(', ');
    fail(
      `they hold state of ${savedCount} variables (${known}), but the first step brings gradients of ${names.length}: ` +
        `${names.map(quote).join(', ')}; let it bring those of all`,
    );
  }
  const indexOf = new Map(variables.map(({ name }, k) => [name, k]));
  const isNamed = names.every((name) => indexOf.has(name));
  const index = (name: string, k: number): number => (isNamed ? indexOf.get(name)! : k);
  return {
    ...saved,
    variables:
      variables.length === 0 ? [] : names.map((name, k) => ({ ...variables[index(name, k)]!, name })),
    joined: joined.length === 0 ? [] : names.map((name, k) => joined[index(name, k)]!),
  };
}

/**
 * Gives a fresh engine a saved state.
 *
 * @param saved under the engine's names; variables of one group joined at the same step.
 * @throws OptimizerError `invalid-state-dict` if it does not fit the rule, its options or the variables' shapes.
 */
export function restore(engine: Optimizer, saved: SavedState): void {
  const slotsOf = new Map(saved.variables.map(({ name, slots }) => [name, slots]));
  const joinedAt = new Map(saved.variables.map(({ name }, k) => [name, saved.joined[k] ?? 0]));
  const names = engine.groups.flatMap(({ params }) => params);
  engine.loadStateDictSync({
    rule: engine.rule,
    step: saved.step,
    groups: engine.groups.map((group) => ({
      ...describeGroup(group),
      joinedAt: joinedAt.get(group.params[0]!) ?? 0,
    })),
    state: Object.fromEntries(names.map((name) => [name, slotsOf.get(name) ?? {}])),
    ...(saved.control && { control: saved.control }),
  });
}

function fail(complaint: string): never {
  throw new OptimizerError(
    'invalid-state-dict',
    `setWeights(): these are not the weights of this optimizer: ${complaint}; give what getWeights() returned.`,
  );
}
