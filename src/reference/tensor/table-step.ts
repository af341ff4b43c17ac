import type { WeightConstraint } from '../../plan/pieces.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { divideRow } from './constrain.js';
import type { ElementRule, PreparedStep } from './element-step.js';
import type { ElementGradients } from './sum-rows.js';

/** What of a tensor is about its rows and its weights; checked. */
export interface TableOptions {
  readonly rowLength?: number;
  /** A number per row: rows at 0 are left alone. */
  readonly mask?: ArrayLike<number>;
  /** Per column, a factor on the learning rate. */
  readonly columns?: readonly number[];
  readonly constraint?: WeightConstraint;
}

/** The gradients of the rows that are not left alone. */
export function withoutMasked<N>(
  values: ArrayLike<N>,
  { rowLength, mask }: TableOptions,
): ElementGradients<N> {
  if (!mask) return { values };
  const elements = Array.from(values, (_, i) => i).filter((i) => mask[Math.floor(i / rowLength!)] !== 0);
  return { values: elements.map((i) => values[i]!), elements, places: elements, placeCount: values.length };
}

/** A step with the learning rate of an element's column. */
export function stepOfColumn<N>(
  step: PreparedStep<N>,
  { rowLength, columns }: TableOptions,
  element: number,
): PreparedStep<N> {
  return columns ? step.withFactor!(columns[element % rowLength!]!) : step;
}

/**
 * A step of a rule, of which those with another learning rate can be had; each is prepared once.
 *
 * @param scalars of the step, in float64.
 * @param t its 1-based count.
 */
export function preparedStep<N>(
  rule: ElementRule<N>,
  scalars: Readonly<Record<string, number>>,
  t: number,
): PreparedStep<N> {
  const ofFactor = new Map<number, PreparedStep<N>>();
  const withFactor = (factor: number): PreparedStep<N> => {
    let step = ofFactor.get(factor);
    if (!step) ofFactor.set(factor, (step = { h: rule.prepare(scalars, t, factor), t }));
    return step;
  };
  const { matrix } = rule;
  return {
    h: rule.prepare(scalars, t),
    t,
    withFactor,
    ...(matrix && { directing: { h: matrix.direct.prepare(scalars, t), t } }),
  };
}

/**
 * Divides the rows that a step touched by their norms, if that is the constraint.
 *
 * @param elements those that were stepped; absent: all.
 */
export function divideRows<N>(
  f: Arithmetic<N>,
  { rowLength, constraint }: TableOptions,
  weights: { readonly length: number; get(index: number): N; set(index: number, value: N): void },
  elements: readonly number[] | undefined,
): void {
  if (constraint !== 'unit-rows') return;
  const length = rowLength!;
  const rowCount = weights.length / length;
  const rows = elements
    ? new Set(elements.map((i) => Math.floor(i / length)))
    : Array.from({ length: rowCount }, (_, row) => row);
  for (const row of rows) {
    const indices = Array.from({ length }, (_, column) => row * length + column);
    const divided = divideRow(
      f,
      indices.map((i) => weights.get(i)),
    );
    indices.forEach((i, k) => weights.set(i, divided[k]!));
  }
}

/** Of the elements that are met, by where they are, their places in the list of them. */
export function positionsOf(elements: readonly number[]): ReadonlyMap<number, number> {
  return new Map(elements.map((element, k) => [element, k]));
}
