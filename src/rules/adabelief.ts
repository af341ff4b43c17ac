import wgsl from '../../shaders/rules/adabelief.wgsl?raw';
import { type EpsPlacement, betas, boolean, choice, number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { type RectificationOptions, rectifying } from './parts/rectification.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adabelief}; `weightDecayMode` is `'decoupled'` by default. */
export interface AdabeliefOptions extends CommonOptions, RectificationOptions {
  /** Decay rates [β₁, β₂] of the gradient's mean and variance, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0. Default 1e-16. */
  eps?: number;
  /** `'inside'` (default): ε is added to s in every step, and to √ŝ, as published; `'outside'`: to √ŝ alone. */
  epsPlacement?: Exclude<EpsPlacement, 'hat'>;
  /** Use the largest s so far (Reddi, Kale & Kumar 2018). Default false. */
  amsgrad?: boolean;
}

/**
 * AdaBelief (Zhuang et al. 2020, Algorithm 2): Adam with the gradient's deviation from its mean in the second moment.
 *
 *     m ← β₁m + (1−β₁)g;   s ← β₂s + (1−β₂)(g−m)² + ε;   m̂ = m/(1−β₁ᵗ);   ŝ = s/(1−β₂ᵗ)
 *     w ← w − ηr·m̂/(√ŝ+ε)     r: rectification as in `radam`; with rectify false, 1
 *     w ← w − ηm̂              while the variance is not tractable, in the first five steps at β₂ = 0.999
 *
 * With `epsPlacement` 'outside', s has no ε: optax with eps_root 0. ε piles up in s to ε/(1−β₂), and counts as √ε in
 * the denominator: of 1e-16 it is 1e-8.
 *
 * The paper's algorithm is not rectified, nor is optax's. `rectify` is true by default as in the authors' package from
 * version 0.1 on, timm and TensorFlow Addons. Of these, the authors and timm take √s+ε for √ŝ+ε in rectified steps, and s
 * for its maximum with `amsgrad`; here, as in TensorFlow Addons, rectification changes nothing but the size of the step.
 *
 * State: `exp_avg` (m), `exp_avg_var` (s), `max_exp_avg_var` if amsgrad. Defaults: `lr` 0.001, `betas` [0.9, 0.999],
 * `eps` 1e-16, `epsPlacement` 'inside', `amsgrad` false, `rectify` true, `rectificationThreshold` 5, `weightDecay` 0,
 * `weightDecayMode` 'decoupled'.
 *
 * @param options see {@link AdabeliefOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adabelief({ lr: 1e-3, rectify: false }) // optax's
 */
export const adabelief: RuleFactory<AdabeliefOptions, 'exp_avg' | 'exp_avg_var' | 'max_exp_avg_var'> =
  declareRule({
    name: 'adabelief',
    wgsl,
    parts: [rectifying],
    options: {
      ...commonOptions(0.001, 0, 'decoupled'),
      betas: betas([0.9, 0.999]),
      // Ten times the default would show in float32 as little as the default.
      eps: { ...number(1e-16, 0), samples: [1e-3] },
      epsPlacement: choice<'outside' | 'inside'>('inside', ['outside', 'inside']),
      amsgrad: boolean(false),
    },
    slots: [
      { name: 'exp_avg' },
      { name: 'exp_avg_var', isNonNegative: true },
      { name: 'max_exp_avg_var', isNonNegative: true, usedBy: (o) => o.amsgrad },
    ],
    switches: (o) => ({ AMSGRAD: o.amsgrad, EPS_INSIDE: o.epsPlacement === 'inside' }),
    scalars: (o, lr) => ({
      lr,
      one_minus_beta1: 1 - o.betas[0],
      one_minus_beta2: 1 - o.betas[1],
      eps: o.eps,
      bias_correction1: correctionOf(o.betas[0]),
      bias_correction2: correctionOf(o.betas[1]),
    }),
    prepare: ({ scalar, mul, div, sqrt }, h) => ({
      step_size: mul(div(h.lr, h.bias_correction1), h.rectification),
      s_scale: div(scalar(1), sqrt(h.bias_correction2)),
    }),
    reference: (f, { w, g, s, h, on }) => {
      const { add, sub, mul, div, sqrt, lerp, larger, where } = f;
      s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
      const surprise = sub(g, s.exp_avg);
      s.exp_avg_var = lerp(s.exp_avg_var, mul(surprise, surprise), h.one_minus_beta2);
      if (on.EPS_INSIDE) s.exp_avg_var = add(s.exp_avg_var, h.eps);
      let variance = s.exp_avg_var;
      if (on.AMSGRAD) {
        variance = larger(s.max_exp_avg_var, variance);
        s.max_exp_avg_var = variance;
      }
      const adaptive = div(s.exp_avg, add(mul(sqrt(variance), h.s_scale), h.eps));
      return sub(w, mul(h.step_size, where(h.excess, adaptive, s.exp_avg)));
    },
  });
