import wgsl from '../../shaders/rules/lars.wgsl?raw';
import { measuring } from '../stages/measure/measuring.js';
import { type TrustOptions, boolean, number, trustOptions } from './options/options.js';
import { advance } from './parts/velocity.js';
import { type UpdateDecayOptions, commonOptions } from './options/common-options.js';
import { type VelocityOptions, dampedVelocity } from './parts/dampening.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link lars}. */
export interface LarsOptions extends UpdateDecayOptions, VelocityOptions, TrustOptions {
  /** Trust coefficient τ ≥ 0. Default 0.001. */
  trustCoefficient?: number;
  /** ε ≥ 0, added to the trust ratio's denominator. Default 1e-8. */
  eps?: number;
  /** Let the ratio only ever lower the learning rate: ρ ← min(ρ/η, 1). Default false. */
  trustClip?: boolean;
}

/**
 * LARS, layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, Algorithm 1).
 *
 *     ρ ← τ‖w‖ / (‖g‖ + d‖w‖ + ε)                        one per tensor; 1 where ‖w‖ or ‖g‖ is 0
 *     v ← λv − ηρ(g + dw);   w ← w + v                   and the other forms of {@link momentum}
 *
 * Weight decay d is in the update as above (`weightDecayMode` `'update'`, the default: the paper, Apex's LARC, torchlars,
 * timm, TensorFlow), or added to g before it is measured (`'l2'`: ρ ← τ‖w‖/(‖g + dw‖ + ε), as optax). A tensor
 * is a parameter; norms are of all its elements, however many buffers it lies in. Parameters without it, biases say,
 * belong in a group of their own with `trustCoefficient` or `alwaysAdapt` to suit, or under `momentum`.
 *
 * With `trustClip`, ρ ← min(ρ/η, 1), as LARC's `clip` and timm. State: `momentum_buffer` (v). Defaults: `lr` 0.01,
 * `momentum` 0.9, `nesterov` false, `dampening` 0, `dampenFirstStep` false, `lrInVelocity` true, `trustCoefficient`
 * 0.001, `eps` 1e-8, `trustClip` false, `alwaysAdapt` true.
 *
 * @param options see {@link LarsOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option, a value out of range, or `nesterov` with dampening or without momentum.
 * @example lars({ lr: 4.8, weightDecay: 1e-4 })
 */
export const lars: RuleFactory<LarsOptions, 'momentum_buffer'> = declareRule({
  name: 'lars',
  wgsl,
  parts: [dampedVelocity],
  options: {
    ...commonOptions(0.01, 0, 'update'),
    trustCoefficient: number(0.001, 0),
    // A larger one to try than 1e-7, which no norm of a test would show.
    eps: { ...number(1e-8, 0), samples: [0.1] },
    trustClip: boolean(false),
    ...trustOptions,
  },
  switches: (o) => ({
    ADAPT: o.alwaysAdapt || o.weightDecay > 0,
    TRUST_CLIP: o.trustClip,
    DECAY_UPDATE: o.weightDecay > 0 && o.weightDecayMode === 'update',
  }),
  scalars: (o, lr) => ({
    lr,
    trust_coefficient: o.trustCoefficient,
    weight_decay: o.weightDecay,
    eps: o.eps,
  }),
  tensor: {
    stage: measuring,
    quantityCount: 2,
    reads: [],
    values: ['trust_ratio'],
    measure: (_, { w, g }) => [w, g],
    summarize: ({ scalar, add, mul, div, clamp, ifPositive }, { norms, h, on }) => {
      const [w, g] = norms as [typeof h.eps, typeof h.eps];
      const one = scalar(1);
      if (!on.ADAPT) return { trust_ratio: one };
      const denominator = add(on.DECAY_UPDATE ? add(g, mul(h.weight_decay, w)) : g, h.eps);
      let ratio = div(mul(h.trust_coefficient, w), denominator);
      if (on.TRUST_CLIP) ratio = clamp(div(ratio, h.lr), one);
      return { trust_ratio: ifPositive(w, ifPositive(g, ratio, one), one) };
    },
  },
  reference: (f, { w, g, s, h, on, tensor }) => {
    const direction = on.DECAY_UPDATE ? f.add(g, f.mul(h.weight_decay, w)) : g;
    const d = f.mul(tensor.trust_ratio, direction);
    return advance(f, { w, s, h, on }, d, f.mul(h.undamped, d));
  },
});
