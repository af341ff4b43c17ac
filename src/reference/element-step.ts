import { findRateScalars } from '../kernel/rate-scalars.js';
import { applying, directing } from '../kernel/matrix-phases.js';
import { type RuleLayout, layoutOf } from '../kernel/rule-layout.js';
import type { MatrixSize } from '../rules/matrix.js';
import type { Rule } from '../rules/rule.js';
import type { Arithmetic } from '../rules/arithmetic.js';
import type { ElementStep } from '../rules/declaration.js';
import { orthogonalize } from './orthogonalize.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

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
  /** What stands in place of the gradients of a matrix then. */
  readonly orthogonalize: (directions: readonly N[], size: MatrixSize) => N[];
}

/** The part of a rule that looks at a whole tensor, over some arithmetic. */
export interface TensorRule<N> {
  readonly f: Arithmetic<N>;
  readonly quantityCount: number;
  /** The quantities of one element; may change `s`. */
  readonly measure: (w: N, g: N, s: Record<string, N>, step: PreparedStep<N>) => readonly N[];
  /** What the elements need, from the quantities' norms; updates the tensor's state in place. */
  readonly summarize: (norms: readonly N[], s: Record<string, N>, step: PreparedStep<N>) => Record<string, N>;
}

/** The CPU twin of `step` and `stepped` in `shaders/step.wgsl`, over any arithmetic. */
export function makeElementRule<N>(f: Arithmetic<N>, rule: Rule, clamped = false): ElementRule<N> {
  const layout = layoutOf(rule);
  const { matrix } = layout;
  if (!matrix) return makePhase(f, rule, clamped, layout);
  return {
    ...makePhase(f, rule, false, applying(layout)),
    matrix: {
      direct: makePhase(f, rule, clamped, directing(layout)),
      orthogonalize: (directions, size) => orthogonalize(f, directions, size, matrix),
    },
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
    summarize: (norms, s, { h, t }) => declared.summarize(f, { norms, s, h, on, t }),
  };
  return { ...elementRule, tensor };
}
