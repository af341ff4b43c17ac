import wgsl from '../../shaders/rules/radam.wgsl?raw';
import { type EpsPlacement, betas, choice, number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { adamDenominator, denominator, scaleStep } from './parts/denominator.js';
import { amsgrad, largest } from './parts/amsgrad.js';
import { type RectificationOptions, rectifying } from './parts/rectification.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link radam}. */
export interface RadamOptions extends CommonOptions, RectificationOptions {
  /** Decay rates [β₁, β₂] of the first and second moment, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-8. */
  eps?: number;
  /**
   * Where ε is added, as for `adam`: `'hat'` (default), to the uncorrected √v, as PyTorch and the authors' code;
   * `'outside'`, as optax and TensorFlow Addons; `'inside'`.
   */
  epsPlacement?: EpsPlacement;
  /** Use the largest second moment so far, as an option of TensorFlow Addons'; the paper has none. Default false. */
  amsgrad?: boolean;
}

/**
 * RAdam (Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", Algorithm 2).
 *
 *     m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)g²;   m̂ = m/(1−β₁ᵗ);   v̂ = v/(1−β₂ᵗ)
 *     ρ∞ = 2/(1−β₂) − 1;   ρₜ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ);   r = √((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ))
 *     w ← w − ηr·m̂/(√v̂+ε)    where ρₜ > rectificationThreshold
 *     w ← w − ηm̂             otherwise: in the first five steps at β₂ = 0.999
 *
 * PyTorch: the defaults. optax and TensorFlow Addons: `epsPlacement` 'outside'. The authors ask for ρₜ ≥ 5 and PyTorch
 * for ρₜ > 5; for no β₂ in use is it 5. With a β₂ ≤ 2/3, ρ∞ ≤ 5 and every step is momentum's.
 *
 * State: `exp_avg` (m), `exp_avg_sq` (v), and `max_exp_avg_sq` if amsgrad. Defaults: `lr` 0.001, `betas` [0.9, 0.999], `eps` 1e-8, `epsPlacement`
 * 'hat', `amsgrad` false, `rectify` true, `rectificationThreshold` 5.
 *
 * @param options see {@link RadamOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example radam({ lr: 1e-3, weightDecay: 0.01, weightDecayMode: 'decoupled' })
 */
export const radam: RuleFactory<RadamOptions, 'exp_avg' | 'exp_avg_sq' | 'max_exp_avg_sq'> = declareRule({
  name: 'radam',
  wgsl,
  parts: [amsgrad, adamDenominator, rectifying],
  options: {
    ...commonOptions(0.001),
    betas: betas([0.9, 0.999]),
    eps: number(1e-8, 0),
    epsPlacement: choice<EpsPlacement>('hat', ['outside', 'inside', 'hat']),
  },
  slots: [{ name: 'exp_avg' }, { name: 'exp_avg_sq', isNonNegative: true }],
  scalars: (o, lr) => ({
    lr,
    one_minus_beta1: 1 - o.betas[0],
    one_minus_beta2: 1 - o.betas[1],
    eps: o.eps,
    bias_correction1: correctionOf(o.betas[0]),
    bias_correction2: correctionOf(o.betas[1]),
  }),
  prepare: (f, h, on) => {
    const size = f.div(h.lr, h.bias_correction1);
    const adaptiveSize = f.mul(scaleStep(f, size, h, on), h.rectification);
    return { step_size: f.where(h.excess, adaptiveSize, size) };
  },
  reference: (f, { w, g, s, h, on }) => {
    const { sub, mul, div, lerp, where } = f;
    s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
    s.exp_avg_sq = lerp(s.exp_avg_sq, mul(g, g), h.one_minus_beta2);
    const adaptive = div(s.exp_avg, denominator(f, largest(f, s.exp_avg_sq, s, on), h, on));
    return sub(w, mul(h.step_size, where(h.excess, adaptive, s.exp_avg)));
  },
});
