import wgsl from '../../shaders/rules/rmsprop.wgsl?raw';
import { type EpsPlacement, boolean, choice, number } from './options.js';
import { type CommonOptions, type RuleFactory, commonOptions, defineRule } from './rule.js';

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
  /** Whether the velocity holds ηg/d (Keras, TensorFlow) or g/d (PyTorch). Default true. */
  lrInVelocity?: boolean;
  /** What every element of s is before the first step, ≥ 0. Default 0; TensorFlow 1 used 1. */
  initialAccumulator?: number;
  /**
   * Subtract ε under the root of the centered form, √(s−m²−ε), as TensorFlow.js does by mistake: NaN where the
   * variance is below ε. Needs `centered` and `epsPlacement` 'inside'. Default false.
   */
  bugCompatible?: boolean;
}

/**
 * RMSprop (Tieleman & Hinton 2012, lecture 6.5, slide 29); centered as Graves 2013, equations 38 to 41.
 *
 *     s ← αs + (1−α)g²;   w ← w − ηg/√(s+ε)     or, with epsPlacement 'outside', w ← w − ηg/(√s+ε)
 *     centered: m ← αm + (1−α)g, and s − m² in place of s under the root
 *     momentum: v ← λv − ηg/d; w ← w + v         or, without lrInVelocity, v ← λv + g/d; w ← w − ηv
 *
 * ε is added once, in the denominator, as TensorFlow and Keras do. Some course notes print it inside the
 * recursion for s, where it would pile up to ε/(1−α).
 *
 * State: `square_avg` (s), `grad_avg` (m, if centered), `momentum_buffer` (v, if momentum > 0). Defaults: `lr`
 * 0.001, `alpha` 0.9, `eps` 1e-7, `epsPlacement` 'inside', `centered` false, `momentum` 0, `lrInVelocity` true,
 * `initialAccumulator` 0, `bugCompatible` false.
 *
 * @param options see {@link RmspropOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option, a value out of range, or `bugCompatible` where it changes nothing.
 * @example rmsprop({ lr: 1e-2, alpha: 0.99, eps: 1e-8, epsPlacement: 'outside' }) // PyTorch's defaults
 */
export const rmsprop: RuleFactory<RmspropOptions> = defineRule({
  name: 'rmsprop',
  wgsl,
  options: {
    ...commonOptions(0.001),
    alpha: number(0.9, 0, 1),
    eps: number(1e-7, 0),
    epsPlacement: choice<'outside' | 'inside'>('inside', ['outside', 'inside']),
    centered: boolean(false),
    momentum: number(0, 0, 1),
    lrInVelocity: boolean(true),
    initialAccumulator: number(0, 0),
    bugCompatible: boolean(false),
  },
  complaint: (o) => {
    if (!o.bugCompatible || (o.centered && o.epsPlacement === 'inside')) return undefined;
    return (
      "bugCompatible repeats TensorFlow.js's sign of ε in the centered form; " +
      "set centered to true and epsPlacement to 'inside', or leave it out."
    );
  },
  slots: [
    { name: 'square_avg', initial: (o) => o.initialAccumulator },
    { name: 'grad_avg', usedBy: (o) => o.centered },
    { name: 'momentum_buffer', usedBy: (o) => o.momentum > 0 },
  ],
  switches: (o) => ({
    CENTERED: o.centered,
    MOMENTUM: o.momentum > 0,
    LR_IN_VELOCITY: o.lrInVelocity,
    EPS_INSIDE: o.epsPlacement === 'inside',
    EPS_SUBTRACTED: o.bugCompatible,
  }),
  scalars: (o, lr) => ({ lr, one_minus_alpha: 1 - o.alpha, eps: o.eps, momentum: o.momentum }),
  reference: ({ load, add, sub, mul, div, sqrt, lerp, larger }, { w, g, s, h, on }) => {
    s.square_avg = lerp(s.square_avg, mul(g, g), h.one_minus_alpha);
    let variance = s.square_avg;
    if (on.CENTERED) {
      s.grad_avg = lerp(s.grad_avg, g, h.one_minus_alpha);
      variance = larger(load(0), sub(s.square_avg, mul(s.grad_avg, s.grad_avg)));
    }
    let denominator = add(sqrt(variance), h.eps);
    if (on.EPS_INSIDE) denominator = sqrt(add(variance, h.eps));
    if (on.EPS_SUBTRACTED) denominator = sqrt(sub(variance, h.eps));
    const direction = div(g, denominator);
    if (!on.MOMENTUM) return sub(w, mul(h.lr, direction));
    if (on.LR_IN_VELOCITY) {
      s.momentum_buffer = sub(mul(h.momentum, s.momentum_buffer), mul(h.lr, direction));
      return add(w, s.momentum_buffer);
    }
    s.momentum_buffer = add(mul(h.momentum, s.momentum_buffer), direction);
    return sub(w, mul(h.lr, s.momentum_buffer));
  },
});
