import wgsl from '../../shaders/rules/yogi.wgsl?raw';
import { type EpsPlacement, type Fixed, betas, choice, number, numberAtStart } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { adamDenominator, denominator, scaleStep } from './parts/denominator.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link yogi}. */
export interface YogiOptions extends CommonOptions {
  /** Decay rates [β₁, β₂] of the first and second moment, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-3. */
  eps?: number;
  /** `'outside'` (default): √v̂+ε; `'inside'`: √(v̂+ε); `'hat'`: ε added to the uncorrected √v, as TensorFlow Addons. */
  epsPlacement?: EpsPlacement;
  /** What every element of v is before the first step, ≥ 0. Default 1e-6. */
  initialAccumulator?: Fixed;
  /** What every element of m is before the first step, ≥ 0. Default 1e-6, as optax; TensorFlow Addons has 0. */
  initialMoment?: Fixed;
}

/**
 * Yogi (Zaheer et al. 2018, Algorithm 2): Adam whose second moment moves by (1−β₂)g², whatever its own size, so that it
 * forgets large gradients slowly.
 *
 *     m ← β₁m + (1−β₁)g;   v ← v − (1−β₂)·sign(v − g²)·g²;   m̂ = m/(1−β₁ᵗ);   v̂ = v/(1−β₂ᵗ)
 *     w ← w − ηm̂/(√v̂+ε)                       epsPlacement 'outside' (default): optax, pytorch_optimizer
 *     w ← w − ηm̂/√(v̂+ε)                       'inside': optax with eps_root = ε and eps = 0
 *     w ← w − η√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v+ε)    'hat': TensorFlow Addons
 *
 * The paper has no bias corrections; every library has them, and so does this, whatever m and v start from. No AMSGrad:
 * nobody defines it, and v hardly falls as it is. State:
 * `exp_avg` (m), `exp_avg_sq` (v). Defaults: `lr` 0.01, `betas` [0.9, 0.999], `eps` 1e-3, `epsPlacement` 'outside',
 * `initialAccumulator` 1e-6, `initialMoment` 1e-6.
 *
 * @param options see {@link YogiOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example yogi({ epsPlacement: 'hat', initialMoment: 0 }) // TensorFlow Addons' defaults
 */
export const yogi: RuleFactory<YogiOptions, 'exp_avg' | 'exp_avg_sq'> = declareRule({
  name: 'yogi',
  wgsl,
  parts: [adamDenominator],
  options: {
    ...commonOptions(0.01),
    betas: betas([0.9, 0.999]),
    eps: number(1e-3, 0),
    epsPlacement: choice<EpsPlacement>('outside', ['outside', 'inside', 'hat']),
    initialAccumulator: numberAtStart(1e-6, 0),
    initialMoment: numberAtStart(1e-6, 0),
  },
  slots: [
    { name: 'exp_avg', initial: (o) => o.initialMoment },
    { name: 'exp_avg_sq', isNonNegative: true, initial: (o) => o.initialAccumulator },
  ],
  scalars: (o, lr) => ({
    lr,
    one_minus_beta1: 1 - o.betas[0],
    one_minus_beta2: 1 - o.betas[1],
    eps: o.eps,
    bias_correction1: correctionOf(o.betas[0]),
    bias_correction2: correctionOf(o.betas[1]),
  }),
  prepare: (f, h, on) => ({ step_size: scaleStep(f, f.div(h.lr, h.bias_correction1), h, on) }),
  reference: (f, { w, g, s, h, on }) => {
    const { sub, mul, div, sign, lerp } = f;
    s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
    const squared = mul(g, g);
    const change = mul(sign(sub(s.exp_avg_sq, squared)), mul(h.one_minus_beta2, squared));
    s.exp_avg_sq = sub(s.exp_avg_sq, change);
    return sub(w, mul(h.step_size, div(s.exp_avg, denominator(f, s.exp_avg_sq, h, on))));
  },
});
