import wgsl from '../../shaders/rules/rmsprop.wgsl?raw';
import { type EpsPlacement, type Fixed, boolean, choice, number, numberAtStart } from './options/options.js';
import { advance, velocity } from './parts/velocity.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link rmsprop}. */
export interface RmspropOptions extends CommonOptions {
  /** Decay α of the squared gradient's average, in [0, 1). Default 0.9. */
  alpha?: number;
  /** ε ≥ 0, added to the denominator once. Default 1e-7. */
  eps?: number;
  /** `'inside'` the root (default): √(s+ε), as Keras and TensorFlow; `'outside'`: √s+ε, as PyTorch. */
  epsPlacement?: Exclude<EpsPlacement, 'hat'>;
  /** Subtract the squared average of the gradient: the denominator is its standard deviation. Default false. */
  centered?: boolean;
  /** Decay λ of a velocity, in [0, 1); 0 (default) means none, and then none is stored. */
  momentum?: number;
  /** Nesterov's look-ahead, as optax. Needs `momentum` > 0. Default false. */
  nesterov?: boolean;
  /** Whether the velocity holds ηg/d (Keras, TensorFlow) or g/d (PyTorch). Default true. */
  lrInVelocity?: boolean;
  /** What every element of s is before the first step, ≥ 0. Default 0; TensorFlow 1 used 1. */
  initialAccumulator?: Fixed;
  /**
   * Divide the averages by 1−αᵗ, as optax if asked. Default false. With `centered` the variance of the first step is
   * then 0, but for rounding, and ε alone sets its size.
   */
  biasCorrection?: boolean;
  /**
   * Subtract ε under the root of the centered form, √(s−m²−ε), as TensorFlow.js does by mistake: NaN where the
   * variance is below ε. Needs `centered` and `epsPlacement` 'inside', and no `biasCorrection`. Default false.
   */
  bugCompatible?: boolean;
}

/**
 * RMSprop (Tieleman & Hinton 2012, lecture 6.5, slide 29); centered as Graves 2013, equations 38 to 41.
 *
 *     s ← αs + (1−α)g²;   w ← w − ηg/√(s+ε)     or, with epsPlacement 'outside', w ← w − ηg/(√s+ε)
 *     centered: m ← αm + (1−α)g, and s − m² in place of s under the root
 *     momentum: v ← λv − ηg/d; w ← w + v         or, without lrInVelocity, v ← λv + g/d; w ← w − ηv
 *     nesterov: w ← w + λv − ηg/d                or, without lrInVelocity, w ← w − η(g/d + λv)
 *     biasCorrection: s/(1−αᵗ) and m/(1−αᵗ) in place of s and m in the denominator d
 *
 * ε is added once, in the denominator, as TensorFlow and Keras do. Some course notes print it inside the
 * recursion for s, where it would pile up to ε/(1−α).
 *
 * State: `square_avg` (s), `grad_avg` (m, if centered), `momentum_buffer` (v, if momentum > 0). Defaults: `lr`
 * 0.001, `alpha` 0.9, `eps` 1e-7, `epsPlacement` 'inside', `centered` false, `momentum` 0, `nesterov` false,
 * `lrInVelocity` true, `initialAccumulator` 0, `biasCorrection` false, `bugCompatible` false.
 *
 * @param options see {@link RmspropOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option, a value out of range, `nesterov` without momentum, or
 *   `bugCompatible` where it changes nothing.
 * @example rmsprop({ lr: 1e-2, alpha: 0.99, eps: 1e-8, epsPlacement: 'outside' }) // PyTorch's defaults
 */
export const rmsprop: RuleFactory<RmspropOptions, 'square_avg' | 'grad_avg' | 'momentum_buffer'> =
  declareRule({
    name: 'rmsprop',
    wgsl,
    parts: [velocity],
    options: {
      ...commonOptions(0.001),
      alpha: number(0.9, 0, 1),
      eps: number(1e-7, 0),
      epsPlacement: choice<'outside' | 'inside'>('inside', ['outside', 'inside']),
      centered: boolean(false),
      momentum: number(0, 0, 1),
      initialAccumulator: numberAtStart(0, 0),
      biasCorrection: boolean(false),
      bugCompatible: boolean(false),
    },
    complaint: (o) => {
      if (!o.bugCompatible || (o.centered && o.epsPlacement === 'inside' && !o.biasCorrection)) {
        return undefined;
      }
      return (
        "bugCompatible repeats TensorFlow.js's sign of ε in the centered form without bias correction; " +
        "set centered to true, epsPlacement to 'inside' and biasCorrection to false, or leave it out."
      );
    },
    slots: [
      { name: 'square_avg', isNonNegative: true, initial: (o) => o.initialAccumulator },
      { name: 'grad_avg', usedBy: (o) => o.centered },
      { name: 'momentum_buffer', usedBy: (o) => o.momentum > 0 },
    ],
    switches: (o) => ({
      CENTERED: o.centered,
      MOMENTUM: o.momentum > 0,
      EPS_INSIDE: o.epsPlacement === 'inside',
      EPS_SUBTRACTED: o.bugCompatible,
      BIAS_CORRECTION: o.biasCorrection,
    }),
    scalars: (o, lr) => ({
      lr,
      one_minus_alpha: 1 - o.alpha,
      eps: o.eps,
      momentum: o.momentum,
      bias_correction: correctionOf(o.alpha),
    }),
    prepare: ({ scalar, div }, h) => ({ correction: div(scalar(1), h.bias_correction) }),
    reference: (f, element) => {
      const { load, add, sub, mul, div, sqrt, lerp, larger } = f;
      const { w, g, s, h, on } = element;
      const corrected = (average: typeof w) => (on.BIAS_CORRECTION ? mul(average, h.correction) : average);
      s.square_avg = lerp(s.square_avg, mul(g, g), h.one_minus_alpha);
      let variance = corrected(s.square_avg);
      if (on.CENTERED) {
        s.grad_avg = lerp(s.grad_avg, g, h.one_minus_alpha);
        const mean = corrected(s.grad_avg);
        variance = larger(load(0), sub(variance, mul(mean, mean)));
      }
      let denominator = add(sqrt(variance), h.eps);
      if (on.EPS_INSIDE) denominator = sqrt(add(variance, h.eps));
      if (on.EPS_SUBTRACTED) denominator = sqrt(sub(variance, h.eps));
      const direction = div(g, denominator);
      if (on.MOMENTUM) return advance(f, element, direction, direction);
      return sub(w, mul(h.lr, direction));
    },
  });
