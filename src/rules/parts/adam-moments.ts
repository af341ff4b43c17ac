import wgsl from '../../../shaders/rules/parts/adam-moments.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { correctionOf } from '../declaring/declaration.js';
import { type EpsPlacement, betas, boolean, choice, number } from '../options/options.js';
import { declarePart } from '../declaring/part.js';
import { amsgrad, largest } from './amsgrad.js';
import { adamDenominator, denominator, scaleStep } from './denominator.js';

/** Options of rules with Adam's equation. */
export interface AdamMomentsOptions {
  /** Decay rates [β₁, β₂] of the first and second moment, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-8. */
  eps?: number;
  /** Use the largest second moment so far (Reddi, Kale & Kumar 2018). Default false. */
  amsgrad?: boolean;
  /**
   * Take AMSGrad's maximum over v̂, as optax, and not over v. No effect without `amsgrad`; not defined with `epsPlacement`
   * `'hat'`. Default false.
   */
  amsgradCorrected?: boolean;
  /** Divide the moments by 1−βᵗ. Default true; MLX leaves it out unless asked: m̂ = m, v̂ = v. */
  biasCorrection?: boolean;
  /** `'outside'` (default): √v̂+ε; `'inside'`: √(v̂+ε); `'hat'`: ε added to the uncorrected √v, as TensorFlow and Keras. */
  epsPlacement?: EpsPlacement;
}

type Resolved = Readonly<Required<AdamMomentsOptions>>;

/** Adam's moments, for a rule with a scalar `lr` that calls `take_moments` and `adam_step`. */
export const adamMoments = declarePart({
  wgsl,
  parts: [amsgrad, adamDenominator],
  options: {
    betas: betas([0.9, 0.999]),
    eps: number(1e-8, 0),
    amsgradCorrected: boolean(false),
    biasCorrection: boolean(true),
    epsPlacement: choice<EpsPlacement>('outside', ['outside', 'inside', 'hat']),
  },
  complaint: (o: Resolved) =>
    o.amsgrad && o.amsgradCorrected && o.epsPlacement === 'hat'
      ? "amsgradCorrected with epsPlacement 'hat' is not defined: that has an uncorrected v; leave one out."
      : undefined,
  slots: [{ name: 'exp_avg' }, { name: 'exp_avg_sq', isNonNegative: true }],
  switches: (o: Resolved) => ({ AMSGRAD_CORRECTED: o.amsgrad && o.amsgradCorrected }),
  scalars: (o: Resolved) => ({
    one_minus_beta1: 1 - o.betas[0],
    one_minus_beta2: 1 - o.betas[1],
    eps: o.eps,
    bias_correction1: correctionOf(o.biasCorrection ? o.betas[0] : 0),
    bias_correction2: correctionOf(o.biasCorrection ? o.betas[1] : 0),
  }),
  prepare: <N>(
    f: Arithmetic<N>,
    h: Readonly<Record<'lr' | 'bias_correction1' | 'bias_correction2' | 'v_scale', N>>,
    on: Readonly<Record<'AMSGRAD_CORRECTED' | 'EPS_INSIDE' | 'EPS_HAT', boolean>>,
  ) => ({
    step_size: scaleStep(f, f.div(h.lr, h.bias_correction1), h, on),
    v_correction: f.div(f.scalar(1), h.bias_correction2),
    v_scale: on.AMSGRAD_CORRECTED ? f.scalar(1) : h.v_scale,
  }),
});

/** What its functions see of an element. */
interface MomentElement<N> {
  readonly g: N;
  readonly s: { exp_avg: N; exp_avg_sq: N; max_exp_avg_sq: N };
  readonly h: Readonly<
    Record<'one_minus_beta1' | 'one_minus_beta2' | 'eps' | 'step_size' | 'v_scale' | 'v_correction', N>
  >;
  readonly on: Readonly<Record<'AMSGRAD' | 'AMSGRAD_CORRECTED' | 'EPS_INSIDE' | 'EPS_HAT', boolean>>;
}

/** Twin of `take_moments`. */
export function takeMoments<N>({ mul, lerp }: Arithmetic<N>, { g, s, h }: MomentElement<N>): void {
  s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta1);
  s.exp_avg_sq = lerp(s.exp_avg_sq, mul(g, g), h.one_minus_beta2);
}

/** Twin of `adam_step`. */
export function adamStep<N>(f: Arithmetic<N>, m: N, { s, h, on }: MomentElement<N>): N {
  const v = on.AMSGRAD_CORRECTED ? f.mul(s.exp_avg_sq, h.v_correction) : s.exp_avg_sq;
  return f.mul(h.step_size, f.div(m, denominator(f, largest(f, v, s, on), h, on)));
}
