import wgsl from '../../shaders/rules/ftrl.wgsl?raw';
import type { Arithmetic } from './declaring/arithmetic.js';
import {
  type LearningRate,
  type OptionSpec,
  learningRate,
  number,
  type Fixed,
  numberAtStart,
  numberBetween,
} from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link ftrl}. */
export interface FtrlOptions extends CommonOptions {
  /** Learning rate η > 0, or a schedule; the equation divides by it, so a schedule that gives 0 makes NaNs. Default 0.001. */
  lr?: LearningRate;
  /**
   * −p, in [−1, 0]: the rate falls as n⁻ᵖ. −0.5 (default) is the paper's and Adagrad's, 0 a constant rate. A float32.
   * Every value but −0.5, 0 and −1 costs up to 64 square roots an element, a few of them if it is a fraction like −3/4.
   */
  lrPower?: number;
  /** What every element of n is before the first step, ≥ 0. Default 0.1. */
  initialAccumulator?: Fixed;
  /** λ₁ ≥ 0: weights whose |z| is no larger are exactly 0. Default 0. */
  l1?: number;
  /** λ₂ ≥ 0. Default 0. MXNet's `wd` is 2λ₂. */
  l2?: number;
  /** λₛ ≥ 0, a decay that n does not see: 2λₛw joins the gradient in z alone. Default 0. */
  l2Shrinkage?: number;
  /** β ≥ 0, added to the root. Default 0, as TensorFlow and Keras; MXNet and the paper's experiments have 1. */
  beta?: number;
}

/** The division by η rules 0 out. */
const positiveLearningRate = (defaultValue: number): OptionSpec<LearningRate> => {
  const spec = learningRate(defaultValue);
  return {
    ...spec,
    range: 'a finite number > 0, or a schedule (step: number) => number',
    accepts: (value) => value !== 0 && spec.accepts(value),
  };
};

/** Twin of `power`; the exponent is a float32 and therefore a number, whatever the arithmetic. */
function power<N>({ load, mul, sqrt }: Arithmetic<N>, x: N, exponent: number, isPower: boolean): N {
  const root = sqrt(x);
  if (!isPower) return root;
  if (exponent === 1) return x;
  const digits = Math.floor(exponent * 2 ** 32);
  let y = load(1);
  const last = digits === 0 ? 32 : 31 - Math.clz32(digits & -digits);
  for (let k = last; k < 32; k++) {
    y = sqrt(y);
    if (((digits >>> k) & 1) === 1) y = mul(y, root);
  }
  return y;
}

/**
 * FTRL-Proximal, follow the regularized leader (McMahan et al. 2013, Algorithm 1), as TensorFlow and Keras have it. The
 * weight is computed anew from n and z in every step, which is how `l1` makes exact zeros.
 *
 *     n′ ← n + g²;   z ← z + g + 2λₛw − (n′ᵖ − nᵖ)/η · w;   w ← −sign(z)·max(0, |z| − λ₁) / ((β + n′ᵖ)/η + 2λ₂)
 *
 * p is −`lrPower`. z starts at 0 and not at what the weights stand for, so the first step forgets the initial weights
 * but for their share in (n′ᵖ − nᵖ)w. Decoupled and raw weight decay shrink that w, as in Keras. State: `accumulator`
 * (n), `linear` (z). Defaults: `lr` 0.001, `lrPower` −0.5, `initialAccumulator` 0.1, `l1` 0, `l2` 0, `l2Shrinkage` 0,
 * `beta` 0.
 *
 * @param options see {@link FtrlOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example ftrl({ lr: 0.1, l1: 1e-3, beta: 1 })
 */
export const ftrl: RuleFactory<FtrlOptions, 'accumulator' | 'linear'> = declareRule({
  name: 'ftrl',
  wgsl,
  options: {
    ...commonOptions(0.001),
    lr: positiveLearningRate(0.001),
    lrPower: numberBetween(-0.5, -1, 0, [-0.2, -1, 0]),
    initialAccumulator: numberAtStart(0.1, 0),
    l1: number(0, 0),
    l2: number(0, 0),
    l2Shrinkage: number(0, 0),
    beta: number(0, 0),
  },
  slots: [
    { name: 'accumulator', initial: (o) => o.initialAccumulator, isExact: true },
    { name: 'linear', isExact: true },
  ],
  switches: (o) => ({ POWER: o.lrPower !== -0.5 }),
  scalars: (o, lr) => ({
    lr,
    exponent: Math.fround(-o.lrPower),
    l1: o.l1,
    l2_twice: 2 * o.l2,
    l2_shrinkage_twice: 2 * o.l2Shrinkage,
    beta: o.beta,
  }),
  reference: (f, { w, g, s, h, on }) => {
    const { store, add, sub, mul, div, neg, clamp, where } = f;
    const raise = (x: typeof w) => power(f, x, store(h.exponent), on.POWER);
    const before = raise(s.accumulator);
    s.accumulator = add(s.accumulator, mul(g, g));
    const after = raise(s.accumulator);
    const strength = mul(div(sub(after, before), h.lr), w);
    s.linear = sub(add(s.linear, add(g, mul(h.l2_shrinkage_twice, w))), strength);
    const excess = sub(clamp(s.linear, h.l1), s.linear);
    const solution = div(excess, add(div(add(h.beta, after), h.lr), h.l2_twice));
    return where(excess, solution, where(neg(excess), solution, excess));
  },
});
