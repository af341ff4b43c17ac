import wgsl from '../../shaders/rules/adan.wgsl?raw';
import { boolean, number, threeBetas } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adan}. */
export interface AdanOptions extends CommonOptions {
  /**
   * Decay rates [β₁, β₂, β₃] of the gradient, its difference and the square, each in [0, 1). Default
   * [0.98, 0.92, 0.99]. These are the authors' code's, timm's and Burn's; the paper writes β for 1 − β.
   */
  betas?: readonly [number, number, number];
  /** ε ≥ 0, added to the root. Default 1e-8. */
  eps?: number;
  /**
   * Whether decoupled (or raw) weight decay divides the new weight by 1 + ηd, as the paper (default), or shrinks
   * the old one by 1 − ηd, as AdamW: `no_prox` of the authors' code. L2 decay is not concerned.
   */
  proximal?: boolean;
}

/**
 * Adan, adaptive Nesterov momentum (Xie et al. 2022, Algorithm 1, with the bias corrections of the authors' code).
 *
 *     Δ = g − g′ (0 at the first step);   m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)Δ;   n ← β₃n + (1−β₃)(g+β₂Δ)²
 *     w ← w − η(m/(1−β₁ᵗ) + β₂v/(1−β₂ᵗ)) / (√(n/(1−β₃ᵗ)) + ε)
 *     w ← w/(1+ηd)     proximal, with decoupled decay
 *
 * g′ is the gradient of the step before that was applied, t the 1-based number of the step. optax has 1 − β₂ where
 * β₂ stands before Δ and v, which the paper does not.
 *
 * No AMSGrad: neither the paper nor the authors' code, timm, Burn or optax has it.
 *
 * State, named as in the authors' code: `exp_avg` (m), `exp_avg_sq` (n), `exp_avg_diff` (v), `neg_pre_grad` (−g′). With
 * `ema`, `swa` and `lookahead` all at once it needs nine storage buffers, one more than WebGPU guarantees.
 * Defaults: `lr` 0.001, `betas` [0.98, 0.92, 0.99], `eps` 1e-8, `proximal` true, `weightDecayMode` 'decoupled'.
 *
 * @param options see {@link AdanOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adan({ lr: 0.01, weightDecay: 0.02 })
 */
export const adan: RuleFactory<AdanOptions, 'exp_avg' | 'exp_avg_sq' | 'exp_avg_diff' | 'neg_pre_grad'> =
  declareRule({
    name: 'adan',
    wgsl,
    options: {
      ...commonOptions(0.001, 0, 'decoupled'),
      betas: threeBetas([0.98, 0.92, 0.99]),
      eps: number(1e-8, 0),
      proximal: boolean(true),
    },
    slots: [
      { name: 'exp_avg' },
      { name: 'exp_avg_sq', isNonNegative: true },
      { name: 'exp_avg_diff' },
      { name: 'neg_pre_grad' },
    ],
    decaysWeight: (o) => o.proximal,
    switches: (o) => ({ PROXIMAL: o.proximal && o.weightDecay > 0 && o.weightDecayMode !== 'l2' }),
    scalars: (o, lr) => ({
      lr,
      beta2: o.betas[1],
      one_minus_beta1: 1 - o.betas[0],
      one_minus_beta2: 1 - o.betas[1],
      one_minus_beta3: 1 - o.betas[2],
      eps: o.eps,
      bias_correction1: correctionOf(o.betas[0]),
      bias_correction2: correctionOf(o.betas[1]),
      bias_correction3: correctionOf(o.betas[2]),
    }),
    prepare: ({ load, add, mul, div, sqrt }, h, _, t) => ({
      step_size: div(h.lr, h.bias_correction1),
      step_size_diff: div(mul(h.lr, h.beta2), h.bias_correction2),
      n_scale: div(load(1), sqrt(h.bias_correction3)),
      has_previous: load(t === 1 ? 0 : 1),
      kept: div(load(1), add(load(1), h.decay)),
    }),
    reference: ({ add, sub, mul, div, sqrt, neg, lerp }, { w, g, s, h, on }) => {
      const difference = mul(h.has_previous, add(g, s.neg_pre_grad));
      s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
      s.exp_avg_diff = lerp(s.exp_avg_diff, difference, h.one_minus_beta2);
      const ahead = add(g, mul(h.beta2, difference));
      s.exp_avg_sq = lerp(s.exp_avg_sq, mul(ahead, ahead), h.one_minus_beta3);
      s.neg_pre_grad = neg(g);
      const denominator = add(mul(sqrt(s.exp_avg_sq), h.n_scale), h.eps);
      const direction = add(mul(h.step_size, s.exp_avg), mul(h.step_size_diff, s.exp_avg_diff));
      const moved = sub(w, div(direction, denominator));
      return on.PROXIMAL ? mul(moved, h.kept) : moved;
    },
  });
