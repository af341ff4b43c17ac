import wgsl from '../../shaders/rules/lamb.wgsl?raw';
import { measuring } from '../stages/measure/measuring.js';
import type { Arithmetic } from './declaring/arithmetic.js';
import { type TrustOptions, betas, boolean, choice, number, trustOptions } from './options/options.js';
import { type UpdateDecayOptions, commonOptions } from './options/common-options.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link lamb}. */
export interface LambOptions extends UpdateDecayOptions, TrustOptions {
  /** Decay rates [β₁, β₂] of the first and second moment, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-6. */
  eps?: number;
  /** `'outside'` (default): √v̂+ε; `'inside'`: √(v̂+ε), as optax's eps_root with eps 0. */
  epsPlacement?: 'outside' | 'inside';
  /** Correct the moments' bias. Default true; the paper's first versions and NVIDIA's BERT did not. */
  biasCorrection?: boolean;
  /** Largest ‖w‖ that the trust ratio is told of, ≥ 0; 0 (default) means no limit. pytorch-lamb and torch-optimizer use 10. */
  clampValue?: number;
}

interface Direction<N> {
  readonly w: N;
  readonly g: N;
  readonly s: { exp_avg: N; exp_avg_sq: N };
  readonly h: Readonly<
    Record<'one_minus_beta1' | 'one_minus_beta2' | 'm_scale' | 'v_scale' | 'eps' | 'weight_decay', N>
  >;
  readonly on: Readonly<Record<'EPS_INSIDE' | 'DECAY_UPDATE', boolean>>;
}

/** Twin of the WGSL's `direction`. */
function direction<N>({ add, mul, div, sqrt, lerp }: Arithmetic<N>, { w, g, s, h, on }: Direction<N>): N {
  s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
  s.exp_avg_sq = lerp(s.exp_avg_sq, mul(g, g), h.one_minus_beta2);
  const denominator = on.EPS_INSIDE
    ? sqrt(add(mul(s.exp_avg_sq, h.v_scale), h.eps))
    : add(mul(sqrt(s.exp_avg_sq), h.v_scale), h.eps);
  const r = div(mul(s.exp_avg, h.m_scale), denominator);
  return on.DECAY_UPDATE ? add(r, mul(h.weight_decay, w)) : r;
}

/**
 * LAMB, layer-wise adaptive moments (You et al. 2020, Algorithm 2).
 *
 *     m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)g²;   m̂ = m/(1−β₁ᵗ);   v̂ = v/(1−β₂ᵗ)
 *     r ← m̂/(√v̂+ε) + dw;   ρ ← φ(‖w‖)/‖r‖;   w ← w − ηρr      ρ is 1 where ‖w‖ or ‖r‖ is 0
 *
 * φ(x) = x, or min(x, `clampValue`). Weight decay d is in r as above (`weightDecayMode` `'update'`, the default), or added
 * to g (`'l2'`, as Apex's FusedLAMB without adam_w_mode). A tensor is a parameter; norms are of all its elements, however many
 * buffers it lies in. What other libraries exclude by name belongs in a group of its own: `weightDecay: 0`, with
 * `alwaysAdapt: false` if it is not to be adapted either.
 *
 * No AMSGrad: Apex's FusedLAMB has the argument and refuses it, and no other library has it.
 *
 * State: `exp_avg` (m), `exp_avg_sq` (v). Defaults: `lr` 0.001, `betas` [0.9, 0.999], `eps` 1e-6, `epsPlacement`
 * 'outside', `biasCorrection` true, `clampValue` 0, `alwaysAdapt` true.
 *
 * @param options see {@link LambOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example lamb({ lr: 2e-3, weightDecay: 0.01 })
 */
export const lamb: RuleFactory<LambOptions, 'exp_avg' | 'exp_avg_sq'> = declareRule({
  name: 'lamb',
  wgsl,
  options: {
    ...commonOptions(0.001, 0, 'update'),
    betas: betas([0.9, 0.999]),
    eps: number(1e-6, 0),
    epsPlacement: choice<'outside' | 'inside'>('outside', ['outside', 'inside']),
    biasCorrection: boolean(true),
    clampValue: number(0, 0),
    ...trustOptions,
  },
  slots: [{ name: 'exp_avg' }, { name: 'exp_avg_sq', isNonNegative: true }],
  switches: (o) => ({
    ADAPT: o.alwaysAdapt || o.weightDecay > 0,
    CORRECT_BIAS: o.biasCorrection,
    EPS_INSIDE: o.epsPlacement === 'inside',
    DECAY_UPDATE: o.weightDecay > 0 && o.weightDecayMode === 'update',
    CLAMP_NORM: o.clampValue > 0,
  }),
  scalars: (o, lr) => ({
    lr,
    one_minus_beta1: 1 - o.betas[0],
    one_minus_beta2: 1 - o.betas[1],
    eps: o.eps,
    weight_decay: o.weightDecay,
    clamp_value: o.clampValue,
    bias_correction1: correctionOf(o.betas[0]),
    bias_correction2: correctionOf(o.betas[1]),
  }),
  prepare: ({ scalar, div, sqrt }, h, on) => {
    const one = scalar(1);
    if (!on.CORRECT_BIAS) return { m_scale: one, v_scale: one };
    const v = on.EPS_INSIDE ? h.bias_correction2 : sqrt(h.bias_correction2);
    return { m_scale: div(one, h.bias_correction1), v_scale: div(one, v) };
  },
  tensor: {
    stage: measuring,
    quantityCount: 2,
    reads: ['exp_avg', 'exp_avg_sq'],
    values: ['trust_ratio'],
    measure: (f, element) => [element.w, direction(f, element)],
    summarize: ({ scalar, div, clamp, ifPositive }, { norms, h, on }) => {
      const [w, r] = norms as [typeof h.eps, typeof h.eps];
      const one = scalar(1);
      if (!on.ADAPT) return { trust_ratio: one };
      const ratio = div(on.CLAMP_NORM ? clamp(w, h.clamp_value) : w, r);
      return { trust_ratio: ifPositive(w, ifPositive(r, ratio, one), one) };
    },
  },
  reference: (f, { w, g, s, h, on, tensor }) =>
    f.sub(w, f.mul(f.mul(h.lr, tensor.trust_ratio), direction(f, { w, g, s, h, on }))),
});
