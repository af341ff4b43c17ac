import wgsl from '../../shaders/rules/adadelta.wgsl?raw';
import { boolean, number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adadelta}. */
export interface AdadeltaOptions extends CommonOptions {
  /** Decay ρ of both averages, in [0, 1). Default 0.9, as PyTorch; Zeiler's experiments and Keras use 0.95. */
  rho?: number;
  /** ε ≥ 0, added inside both roots; with 0 the rule never moves. Default 1e-6, as PyTorch; Keras has 1e-7. */
  eps?: number;
  /**
   * Divide by the average of squared gradients as it was before this step, as TensorFlow.js does:
   * everybody else follows the paper and takes the new one. Since s and a then stay equal, the rule is `sgd`. Default
   * false.
   */
  previousAccumulator?: boolean;
}

/**
 * Adadelta (Zeiler 2012, Algorithm 1). Its step has the weight's own unit, so η only scales it.
 *
 *     s ← ρs + (1−ρ)g²;   Δ = √(a+ε)/√(s+ε) · g;   a ← ρa + (1−ρ)Δ²;   w ← w − ηΔ
 *
 * PyTorch, Keras, optax and TensorFlow all put ε inside both roots, as the paper does, so there is no option for
 * its place. State: `square_avg` (s) and `acc_delta` (a). Defaults: `lr` 1, `rho` 0.9, `eps` 1e-6,
 * `previousAccumulator` false.
 *
 * @param options see {@link AdadeltaOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adadelta({ rho: 0.95, eps: 1e-7 })
 */
export const adadelta: RuleFactory<AdadeltaOptions, 'square_avg' | 'acc_delta'> = declareRule({
  name: 'adadelta',
  wgsl,
  options: {
    ...commonOptions(1),
    rho: number(0.9, 0, 1),
    eps: number(1e-6, 0),
    previousAccumulator: boolean(false),
  },
  slots: [
    { name: 'square_avg', isNonNegative: true },
    { name: 'acc_delta', isNonNegative: true },
  ],
  switches: (o) => ({ PREVIOUS_ACCUMULATOR: o.previousAccumulator }),
  scalars: (o, lr) => ({ lr, one_minus_rho: 1 - o.rho, eps: o.eps }),
  reference: ({ add, sub, mul, div, sqrt, lerp }, { w, g, s, h, on }) => {
    const before = s.square_avg;
    s.square_avg = lerp(s.square_avg, mul(g, g), h.one_minus_rho);
    const divisor = on.PREVIOUS_ACCUMULATOR ? before : s.square_avg;
    const delta = mul(div(sqrt(add(s.acc_delta, h.eps)), sqrt(add(divisor, h.eps))), g);
    s.acc_delta = lerp(s.acc_delta, mul(delta, delta), h.one_minus_rho);
    return sub(w, mul(h.lr, delta));
  },
});
