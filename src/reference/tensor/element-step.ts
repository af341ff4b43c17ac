import type { Mutable } from '../../mutable.js';
import { findRateScalars } from '../../kernel/rate-scalars.js';
import { applying, directing } from '../../kernel/matrix-phases.js';
import { type RuleLayout, layoutOf } from '../../kernel/rule-layout.js';
import { type Side, matrixSize } from '../../rules/declaring/matrix-size.js';
import type { Rule } from '../../rules/rule.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import type { ElementStep } from '../../rules/declaring/declaration.js';
import { divideByFactors } from './factor.js';
import { orthogonalize } from './orthogonalize.js';

/** What a step knows of all elements. */
export interface PreparedStep<N> {
  /** The scalars, as {@link ElementRule.prepare} made them. */
  readonly h: Record<string, N>;
  /** 1-based count of applied steps; exact, where `h.t` may be rounded. */
  readonly t: number;
  /** Of a rule of matrices, the step as it makes directions of gradients. */
  readonly directing?: PreparedStep<N>;
  /** The same with the learning rate times a factor, for a column. */
  readonly withFactor?: (factor: number) => PreparedStep<N>;
}

/** A rule over some arithmetic. */
export interface ElementRule<N> {
  /**
   * The scalars that `update` takes, from those of a step in float64; t is its 1-based count. A column's factor on the learning
   * rate multiplies those that are proportional to it.
   */
  readonly prepare: (
    scalars: Readonly<Record<string, number>>,
    t: number,
    factor?: number,
  ) => Record<string, N>;
  /**
   * Updates one element: returns the new weight and updates the state `s` in place.
   *
   * @param tensor what {@link summarizeTensor} found, for rules that measure tensors.
   */
  readonly update: (
    w: N,
    g: N,
    s: Record<string, N>,
    step: PreparedStep<N>,
    tensor: Readonly<Record<string, N>>,
  ) => N;
  /** For rules that measure tensors. */
  readonly tensor?: TensorRule<N>;
  /** For rules of matrices. */
  readonly matrix?: MatrixRule<N>;
}

/** What a rule of matrices does before it updates weights, over some arithmetic. */
export interface MatrixRule<N> {
  /** Makes directions of gradients: its `update` returns them. */
  readonly direct: ElementRule<N>;
  /**
   * What stands in place of the gradients of a tensor then.
   *
   * @param sides numbers of rows and of columns, if the rule keeps any; updated in place.
   */
  readonly transform: (
    directions: readonly N[],
    shape: readonly number[],
    sides: Readonly<Record<Side, N[]>>,
    step: PreparedStep<N>,
  ) => N[];
}

/** The part of a rule that looks at a whole tensor, over some arithmetic. */
export interface TensorRule<N> {
  readonly f: Arithmetic<N>;
  readonly quantityCount: number;
  /** The quantities of one element; may change `s`. */
  readonly measure: (w: N, g: N, s: Record<string, N>, step: PreparedStep<N>) => readonly N[];
  /** What the elements need, from the quantities' norms; updates the tensor's state in place. */
  readonly summarize: (
    norms: readonly N[],
    s: Record<string, N>,
    step: PreparedStep<N>,
    elementCount: number,
  ) => Record<string, N>;
}

/** The CPU twin of `step` and `stepped` in `shaders/step.wgsl`, over any arithmetic. */
export function makeElementRule<N>(f: Arithmetic<N>, rule: Rule, clamped = false): ElementRule<N> {
  const layout = layoutOf(rule);
  const { matrix: declared } = rule.declaration;
  if (!declared) return makePhase(f, rule, clamped, layout);
  const [direct, apply] = [directing(layout), applying(layout)];
  const { factors } = declared;
  const transform: MatrixRule<N>['transform'] = factors
    ? (directions, shape, sides, { h }) =>
        divideByFactors(f, directions, shape, sides, factors, { h, on: apply.switches })
    : (directions, shape) => orthogonalize(f, directions, matrixSize(shape), layout.matrix!);
  return {
    ...makePhase(f, rule, false, apply),
    matrix: { direct: makePhase(f, rule, clamped, direct), transform },
  };
}

function makePhase<N>(
  f: Arithmetic<N>,
  rule: Rule,
  clamped: boolean,
  { switches: on, tensor: declared, averages }: RuleLayout,
): ElementRule<N> {
  const { prepare, reference } = rule.declaration;
  /** What the equations see of an element. One object for all: a new one for each took most of a step's time. */
  const seen: Mutable<ElementStep<N>> = { w: f.scalar(0), g: f.scalar(0), s: {}, h: {}, on, tensor: {} };
  /** The CPU twin of `shaders/incoming.wgsl`. */
  const see = (weight: N, gradient: N, s: Record<string, N>, h: Record<string, N>): ElementStep<N> => {
    const decay = h['decay']!;
    let w = weight;
    let g = f.mul(gradient, h['grad_multiplier']!);
    if (clamped) g = f.between(g, h['min_grad_value']!, h['max_grad_value']!);
    if (on['MAXIMIZE']) g = f.neg(g);
    if (on['DECAY_GRADIENT']) g = f.add(g, f.mul(decay, w));
    if (on['DECAY_WEIGHT']) w = f.sub(w, f.mul(decay, w));
    seen.w = w;
    seen.g = g;
    seen.s = s;
    seen.h = h;
    return seen;
  };
  const elementRule: ElementRule<N> = {
    prepare: (scalars, t, factor) => {
      const h = Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, f.scalar(value)]));
      const scaled = factor === undefined ? [] : findRateScalars(rule);
      for (const name of scaled) h[name] = f.mul(h[name]!, f.scalar(factor!));
      return prepare ? { ...h, ...prepare(f, h, on, t) } : h;
    },
    update: (weight, gradient, s, { h, t }, tensor) => {
      seen.tensor = tensor;
      let w = reference(f, see(weight, gradient, s, h));
      for (const { declaration, options } of averages) {
        const { slot } = declaration;
        const step = { before: weight, after: w, average: s[slot]!, h, t };
        const result = declaration.reference(f, step, options);
        s[slot] = result.average;
        w = result.weight;
      }
      return w;
    },
  };
  if (!declared) return elementRule;
  const tensor: TensorRule<N> = {
    f,
    quantityCount: declared.quantityCount,
    measure: (w, g, s, { h }) => declared.measure(f, see(w, g, s, h)),
    summarize: (norms, s, { h, t }, elementCount) =>
      declared.summarize(f, { norms, s, h, on, t, rootCount: f.scalar(Math.sqrt(elementCount)) }),
  };
  return { ...elementRule, tensor };
}
