import wgsl from '../../shaders/rules/nadam.wgsl?raw';
import { type EpsPlacement, betas, choice, number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { adamDenominator, denominator, scaleStep } from './parts/denominator.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link nadam}. */
export interface NadamOptions extends CommonOptions {
  /** Decay rates [β₁, β₂] of the first and second moment, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-8. */
  eps?: number;
  /** Where ε is added, as for `adam`: `'outside'` (default; PyTorch, Keras, optax), `'inside'` or `'hat'`. */
  epsPlacement?: EpsPlacement;
  /** ψ ≥ 0: how fast the momentum μ rises from β₁/2 to β₁. Default 0.004, as PyTorch; Keras has 1. */
  momentumDecay?: number;
  /** The base a in [0, 1) of that schedule. Default 0.96; 0 for a constant momentum β₁, as optax has it. */
  momentumDecayBase?: number;
}

/** The largest float64 below 1: d is a fraction below 1 on the GPU, and dᵗ then differs from 1 by 2⁻²⁹ at t = 2²⁴. */
const BELOW_ONE = 1 - 2 ** -53;

/** a to the power ψ/n: the n-th root of the damping d. */
function dampingRoot(o: { momentumDecay: number; momentumDecayBase: number }, n: number): number {
  return Math.min(o.momentumDecayBase ** (o.momentumDecay / n), BELOW_ONE);
}

/**
 * NAdam (Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2): Adam with Nesterov's momentum.
 *
 *     m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)g²;   v̂ = v/(1−β₂ᵗ)
 *     μᵢ = β₁(1 − ½·aⁱᵠ);   Πₜ = μ₁μ₂⋯μₜ                  a: momentumDecayBase, ψ: momentumDecay
 *     w ← w − η(μₜ₊₁m/(1−Πₜ₊₁) + (1−μₜ)g/(1−Πₜ))/(√v̂+ε)
 *
 * PyTorch: the defaults. Keras: `momentumDecay` 1 and `eps` 1e-7. optax: `momentumDecayBase` 0, so that μ = β₁ and
 * Πₜ = β₁ᵗ. The product Π is not stored with each parameter, as PyTorch's `mu_product`; it is one number per group that
 * follows the count of applied steps.
 *
 * No AMSGrad: neither the paper nor a library defines it.
 *
 * State: `exp_avg` (m), `exp_avg_sq` (v). Defaults: `lr` 0.002, `betas` [0.9, 0.999], `eps` 1e-8, `epsPlacement`
 * 'outside', `momentumDecay` 0.004, `momentumDecayBase` 0.96.
 *
 * @param options see {@link NadamOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example nadam({ lr: 1e-3, eps: 1e-7, momentumDecay: 1 }) // Keras's defaults
 */
export const nadam: RuleFactory<NadamOptions, 'exp_avg' | 'exp_avg_sq'> = declareRule({
  name: 'nadam',
  wgsl,
  parts: [adamDenominator],
  options: {
    ...commonOptions(0.002),
    betas: betas([0.9, 0.999]),
    eps: number(1e-8, 0),
    epsPlacement: choice<EpsPlacement>('outside', ['outside', 'inside', 'hat']),
    momentumDecay: number(0.004, 0),
    momentumDecayBase: number(0.96, 0, 1),
  },
  slots: [{ name: 'exp_avg' }, { name: 'exp_avg_sq', isNonNegative: true }],
  scalars: (o, lr) => ({
    lr,
    beta1: o.betas[0],
    one_minus_beta1: 1 - o.betas[0],
    one_minus_beta2: 1 - o.betas[1],
    damping: dampingRoot(o, 1),
    eps: o.eps,
    bias_correction2: correctionOf(o.betas[1]),
    damping_correction: correctionOf(dampingRoot(o, 2)),
    mu_correction: correctionOf(o.betas[0], dampingRoot(o, 1)),
  }),
  prepare: (f, h, on) => {
    const { scalar, add, sub, mul, div } = f;
    const root = sub(scalar(1), h.damping_correction);
    const missing = mul(mul(scalar(0.5), h.beta1), mul(root, root));
    const nextMissing = mul(h.damping, missing);
    const nextMu = sub(h.beta1, nextMissing);
    const nextCorrection = add(add(h.one_minus_beta1, nextMissing), mul(nextMu, h.mu_correction));
    const gradientSize = div(mul(h.lr, add(h.one_minus_beta1, missing)), h.mu_correction);
    return {
      gradient_size: scaleStep(f, gradientSize, h, on),
      momentum_size: scaleStep(f, div(mul(h.lr, nextMu), nextCorrection), h, on),
    };
  },
  reference: (f, { w, g, s, h, on }) => {
    const { add, sub, mul, div, lerp } = f;
    s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
    s.exp_avg_sq = lerp(s.exp_avg_sq, mul(g, g), h.one_minus_beta2);
    const direction = add(mul(h.momentum_size, s.exp_avg), mul(h.gradient_size, g));
    return sub(w, div(direction, denominator(f, s.exp_avg_sq, h, on)));
  },
});
