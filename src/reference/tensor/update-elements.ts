import { OptimizerError } from '../../errors.js';
import type { ElementRule, PreparedStep } from './element-step.js';
import { LANE_LENGTH, type Lane, type Lanes } from './lanes.js';
import type { NumericArray } from '../arithmetic/numbers.js';

/** The elements that a step goes through. */
export interface Stepped {
  /** Gradients in the order in which elements are stepped. */
  readonly gradient: ArrayLike<number>;
  /** Where the elements of these are; absent: in order. */
  readonly elements: readonly number[] | undefined;
  readonly weights: NumericArray;
  /** A weight, where it is kept more exactly than in `weights`. */
  readonly weightAt?: ((element: number) => number) | undefined;
  /** The arrays of the state, by slot: loaded, and stored. */
  readonly state: readonly (readonly [slot: string, values: NumericArray, ...unknown[]])[];
  readonly step: PreparedStep<number>;
  /** The step of an element, where they differ. */
  readonly stepOf?: (element: number) => PreparedStep<number>;
  /** What the rule knows of the tensor. */
  readonly tensor: Readonly<Record<string, number>>;
  /** Called before anything is stored. */
  readonly onChange: () => void;
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
 * Calls a rule for elements, many at once. What lies in order is copied as a whole: a call for each element took as long as
 * its equation.
 *
 * @param rule over `lanes`.
 * @param keep what the rule makes of an element's weight; its state is stored behind it. Absent: it is stored as it is.
 */
export function updateElements(
  lanes: Lanes,
  { update }: Pick<ElementRule<Lane>, 'update'>,
  { gradient, elements, weights, weightAt, state, step, stepOf, tensor: known, onChange }: Stepped,
  keep: ((element: number, after: number, before: number) => void) | undefined,
): void {
  const tensor = constants(lanes, known);
  const gradients = gradient instanceof lanes.Lane ? gradient : new lanes.Lane(gradient);
  const s: Record<string, Lane> = {};
  for (let first = 0; first < gradients.length; first += LANE_LENGTH) {
    const count = Math.min(LANE_LENGTH, gradients.length - first);
    const elementOf = (k: number): number => (elements ? elements[first + k]! : first + k);
    const load = (values: NumericArray): Lane => {
      const lane = lanes.take();
      if (!elements) lane.set(values.subarray(first, first + count));
      else for (let k = 0; k < count; k++) lane[k] = values[elementOf(k)]!;
      return lane;
    };
    const store = (values: NumericArray, lane: Lane): void => {
      if (!elements) values.set(lane.subarray(0, count), first);
      else for (let k = 0; k < count; k++) values[elementOf(k)] = lane[k]!;
    };
    lanes.begin(count);
    const w = weightAt ? lanes.take() : load(weights);
    if (weightAt) for (let k = 0; k < count; k++) w[k] = weightAt(elementOf(k));
    const g = lanes.take();
    g.set(gradients.subarray(first, first + count));
    for (const [slot, values] of state) s[slot] = load(values);
    const h = stepOf ? {} : scalarsFor(lanes, step);
    if (stepOf) {
      for (const name in step.h) h[name] = lanes.take();
      for (let k = 0; k < count; k++) {
        const own = stepOf(elementOf(k)).h;
        for (const name in own) h[name]![k] = own[name]!;
      }
    }
    const after = update(w, g, s, { h, t: step.t }, tensor);
    for (const lane of [after, ...Object.values(s)]) checkLane(lane);
    onChange();
    if (keep) for (let k = 0; k < count; k++) keep(elementOf(k), after[k]!, w[k]!);
    else store(weights, after);
    for (const [slot, values] of state) store(values, s[slot]!);
  }
}

function checkLane(value: Lane): void {
  if (ArrayBuffer.isView(value)) return;
  throw new OptimizerError(
    'invalid-config',
    `a rule's reference computes by itself; use the operations of its first argument for all that it makes of an element.`,
  );
}
