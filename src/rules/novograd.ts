import wgsl from '../../shaders/rules/novograd.wgsl?raw';
import { measuring } from '../stages/measure/measuring.js';
import { betas, boolean, number } from './options/options.js';
import { type UpdateDecayOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link novograd}. */
export interface NovogradOptions extends UpdateDecayOptions {
  /** Decay rates [β₁, β₂] of the first moment and of the norms, each in [0, 1). Default [0.95, 0.98]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-8. */
  eps?: number;
  /** Take 1−β₁ of each normalised gradient into the first moment. Default false, as the paper. */
  gradAveraging?: boolean;
  /** With `gradAveraging`: do so at the first step, too; TensorFlow Addons takes all of it there. Default true. */
  averageFirstStep?: boolean;
  /** Whether the first moment holds η times that (TensorFlow Addons), which differs where η changes. Default false. */
  lrInVelocity?: boolean;
  /** Use the largest second moment so far. Default false. */
  amsgrad?: boolean;
}

/**
 * NovoGrad (Ginsburg et al. 2019, Algorithm 1).
 *
 *     v ← β₂v + (1−β₂)‖g‖²   one number per tensor; v ← ‖g‖² at the first step
 *     m ← β₁m + (g/(√v+ε) + dw);   w ← w − ηm
 *
 * With `gradAveraging`, m takes (1−β₁) of what is in parentheses, as an option of NVIDIA's and Apex's;
 * TensorFlow Addons' leaves the first step out (`averageFirstStep` false): there m takes all of it. With `lrInVelocity`,
 * also as there, m ← β₁m + η(…); w ← w − m.
 * Weight decay d is as above (`weightDecayMode` `'update'`, the default), or added to g before its norm (`'l2'`). A tensor is
 * a parameter; the norm is of all its elements, however many buffers it lies in.
 *
 * v is the square of a norm, in float32: norms beyond 1e19 make it infinite, and then nothing moves; `lossScale` and
 * `gradScale` are applied before. State: `exp_avg` (m), `exp_avg_sq` (v; one element), and `max_exp_avg_sq` (one element) if
 * amsgrad. Defaults: `lr` 0.001, `betas` [0.95, 0.98], `eps` 1e-8, `gradAveraging` false,
 * `averageFirstStep` true, `lrInVelocity` false, `amsgrad` false.
 *
 * @param options see {@link NovogradOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example novograd({ lr: 0.01, weightDecay: 1e-3 })
 */
export const novograd: RuleFactory<NovogradOptions, 'exp_avg' | 'exp_avg_sq' | 'max_exp_avg_sq'> =
  declareRule({
    name: 'novograd',
    wgsl,
    options: {
      ...commonOptions(0.001, 0, 'update'),
      betas: betas([0.95, 0.98]),
      // A larger one to try than 1e-7, which no norm of a test would show.
      eps: { ...number(1e-8, 0), samples: [0.1] },
      gradAveraging: boolean(false),
      averageFirstStep: boolean(true),
      lrInVelocity: boolean(false),
      amsgrad: boolean(false),
    },
    slots: [
      { name: 'exp_avg' },
      { name: 'exp_avg_sq', perTensor: true },
      { name: 'max_exp_avg_sq', perTensor: true, usedBy: (o) => o.amsgrad },
    ],
    switches: (o) => ({
      AMSGRAD: o.amsgrad,
      DECAY_UPDATE: o.weightDecay > 0 && o.weightDecayMode === 'update',
      GRAD_AVERAGING: o.gradAveraging,
      AVERAGE_FIRST_STEP: o.averageFirstStep,
      LR_IN_VELOCITY: o.lrInVelocity,
    }),
    scalars: (o, lr) => ({
      lr,
      beta1: o.betas[0],
      one_minus_beta1: 1 - o.betas[0],
      one_minus_beta2: 1 - o.betas[1],
      eps: o.eps,
      weight_decay: o.weightDecay,
    }),
    prepare: ({ scalar }, h, on, t) => ({
      share: t === 1 && !on.AVERAGE_FIRST_STEP ? scalar(1) : h.one_minus_beta1,
    }),
    tensor: {
      stage: measuring,
      quantityCount: 1,
      reads: [],
      values: ['denominator'],
      measure: (_, { g }) => [g],
      summarize: ({ add, mul, sqrt, lerp, larger }, { norms, s, h, on, t }) => {
        const [norm] = norms as [typeof h.eps];
        const square = mul(norm, norm);
        s.exp_avg_sq = t === 1 ? square : lerp(s.exp_avg_sq, square, h.one_minus_beta2);
        let v = s.exp_avg_sq;
        if (on.AMSGRAD) {
          v = larger(s.max_exp_avg_sq, v);
          s.max_exp_avg_sq = v;
        }
        return { denominator: add(sqrt(v), h.eps) };
      },
    },
    reference: ({ add, sub, mul, div }, { w, g, s, h, on, tensor }) => {
      let u = div(g, tensor.denominator);
      if (on.DECAY_UPDATE) u = add(u, mul(h.weight_decay, w));
      if (on.GRAD_AVERAGING) u = mul(h.share, u);
      if (on.LR_IN_VELOCITY) {
        s.exp_avg = add(mul(h.beta1, s.exp_avg), mul(h.lr, u));
        return sub(w, s.exp_avg);
      }
      s.exp_avg = add(mul(h.beta1, s.exp_avg), u);
      return sub(w, mul(h.lr, s.exp_avg));
    },
  });
