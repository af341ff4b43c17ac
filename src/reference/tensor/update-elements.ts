import { OptimizerError } from '../../errors.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import type { ElementRule, PreparedStep } from './element-step.js';
import { LANE_LENGTH, type Lane, type Lanes } from './lanes.js';
import type { NumericArray } from '../arithmetic/numbers.js';

/** The elements that a step goes through. */
export interface Stepped {
  readonly arithmetic: Arithmetic<number>;
  /** Gradients in the order in which elements are stepped. */
  readonly gradient: ArrayLike<number>;
  /** Where the elements of these are; absent: in order. */
  readonly elements: readonly number[] | undefined;
  readonly weightAt: (element: number) => number;
  /** The arrays of the state, by slot: loaded, and stored. */
  readonly state: readonly (readonly [slot: string, values: NumericArray, ...unknown[]])[];
  readonly step: PreparedStep<number>;
  /** The step of an element, where they differ. */
  readonly stepOf?: (element: number) => PreparedStep<number>;
  /** What the rule knows of the tensor. */
  readonly tensor: Readonly<Record<string, number>>;
}

const constants = (lanes: Lanes, values: Readonly<Record<string, number>>): Record<string, Lane> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, lanes.constant(value)]));

/** The scalars of steps, for each element: tensors share them. */
const scalarsOf = new WeakMap<PreparedStep<number>, Record<string, Lane>>();

function scalarsFor(lanes: Lanes, step: PreparedStep<number>): Record<string, Lane> {
  let scalars = scalarsOf.get(step);
  if (!scalars) scalarsOf.set(step, (scalars = constants(lanes, step.h)));
  return scalars;
}

/**
 * Calls a rule for elements, many at once.
 *
 * @param rule over `lanes`.
 * @param keep what the rule makes of an element's weight; its state is stored behind it.
 */
export function updateElements(
  lanes: Lanes,
  { update }: Pick<ElementRule<Lane>, 'update'>,
  { arithmetic: { load }, gradient, elements, weightAt, state, step, stepOf, tensor: known }: Stepped,
  keep: (element: number, after: number, before: number) => void,
): void {
  const tensor = constants(lanes, known);
  const elementOf = (k: number): number => (elements ? elements[k]! : k);
  const s: Record<string, Lane> = {};
  for (let first = 0; first < gradient.length; first += LANE_LENGTH) {
    const count = Math.min(LANE_LENGTH, gradient.length - first);
    lanes.begin(count);
    const [w, g] = [lanes.take(), lanes.take()];
    const h = stepOf
      ? Object.fromEntries(Object.keys(step.h).map((name) => [name, lanes.take()]))
      : scalarsFor(lanes, step);
    for (let k = 0; k < count; k++) {
      const element = elementOf(first + k);
      w[k] = load(weightAt(element));
      g[k] = load(gradient[first + k]!);
      if (!stepOf) continue;
      const own = stepOf(element).h;
      for (const name in own) h[name]![k] = own[name]!;
    }
    for (const [slot, values] of state) {
      const lane = (s[slot] = lanes.take());
      for (let k = 0; k < count; k++) lane[k] = load(values[elementOf(first + k)]!);
    }
    const after = update(w, g, s, { h, t: step.t }, tensor);
    // Before anything is stored.
    for (const lane of [after, ...Object.values(s)]) checkLane(lane);
    for (let k = 0; k < count; k++) keep(elementOf(first + k), after[k]!, w[k]!);
    for (const [slot, values] of state) {
      const lane = s[slot]!;
      for (let k = 0; k < count; k++) values[elementOf(first + k)] = lane[k]!;
    }
  }
}

function checkLane(value: Lane): void {
  if (value instanceof Float64Array) return;
  throw new OptimizerError(
    'invalid-config',
    `a rule's reference computes by itself; use the operations of its first argument for all that it makes of an element.`,
  );
}
