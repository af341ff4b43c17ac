import wgsl from '../../shaders/rules/adamax.wgsl?raw';
import { type EpsPlacement, betas, boolean, choice, number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adamax}. */
export interface AdamaxOptions extends CommonOptions {
  /** Decay rates [β₁, β₂] of the first moment and of the largest gradient, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, which keeps the denominator from 0. Default 1e-8. */
  eps?: number;
  /** Divide m by 1−β₁ᵗ. Default true; MLX never does. */
  biasCorrection?: boolean;
  /** `'inside'` the maximum (default): max(β₂u, |g|+ε), as PyTorch and optax; `'outside'`: u+ε, as Keras. */
  epsPlacement?: Exclude<EpsPlacement, 'hat'>;
}

/**
 * Adamax (Kingma & Ba 2015, Algorithm 2): Adam with the largest gradient in place of the second moment.
 *
 *     m ← β₁m + (1−β₁)g;   m̂ = m/(1−β₁ᵗ)
 *     u ← max(β₂u, |g|+ε);   w ← w − ηm̂/u          epsPlacement 'inside' (default): PyTorch, optax
 *     u ← max(β₂u, |g|);     w ← w − ηm̂/(u+ε)      'outside': Keras, TensorFlow.js
 *
 * No AMSGrad: u is a maximum already, though one that decays, and neither the paper nor PyTorch, Keras, optax, MLX or
 * TensorFlow.js takes another.
 *
 * The paper has no ε. State: `exp_avg` (m), `exp_inf` (u). Defaults: `lr` 0.002, `betas` [0.9, 0.999], `eps` 1e-8,
 * `biasCorrection` true, `epsPlacement` 'inside'.
 *
 * @param options see {@link AdamaxOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adamax({ lr: 1e-3, eps: 1e-7, epsPlacement: 'outside' }) // Keras's defaults
 */
export const adamax: RuleFactory<AdamaxOptions, 'exp_avg' | 'exp_inf'> = declareRule({
  name: 'adamax',
  wgsl,
  options: {
    ...commonOptions(0.002),
    betas: betas([0.9, 0.999]),
    eps: number(1e-8, 0),
    biasCorrection: boolean(true),
    epsPlacement: choice<'outside' | 'inside'>('inside', ['outside', 'inside']),
  },
  slots: [{ name: 'exp_avg' }, { name: 'exp_inf', isNonNegative: true }],
  switches: (o) => ({ EPS_INSIDE: o.epsPlacement === 'inside' }),
  scalars: (o, lr) => ({
    lr,
    one_minus_beta1: 1 - o.betas[0],
    beta2: o.betas[1],
    eps: o.eps,
    bias_correction1: correctionOf(o.biasCorrection ? o.betas[0] : 0),
  }),
  prepare: ({ div }, h) => ({ step_size: div(h.lr, h.bias_correction1) }),
  reference: ({ add, sub, mul, div, abs, lerp, larger }, { w, g, s, h, on }) => {
    s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
    const size = abs(g);
    s.exp_inf = larger(mul(h.beta2, s.exp_inf), on.EPS_INSIDE ? add(size, h.eps) : size);
    const denominator = on.EPS_INSIDE ? s.exp_inf : add(s.exp_inf, h.eps);
    return sub(w, mul(h.step_size, div(s.exp_avg, denominator)));
  },
});
