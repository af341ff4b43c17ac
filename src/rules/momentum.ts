import wgsl from '../../shaders/rules/momentum.wgsl?raw';
import { boolean, number } from './options.js';
import { advance, nesterovComplaint, velocitySwitches, velocityWgsl } from './parts/velocity.js';
import { type CommonOptions, type RuleFactory, commonOptions, defineRule } from './rule.js';

/** Options of {@link momentum}. */
export interface MomentumOptions extends CommonOptions {
  /** Decay λ of the velocity, in [0, 1). Default 0.9. */
  momentum?: number;
  /** Nesterov's look-ahead. Needs `momentum` > 0 and `dampening` 0. Default false. */
  nesterov?: boolean;
  /** Dampening τ ≥ 0 of the gradient in the velocity, from the second step on, as PyTorch. Default 0. */
  dampening?: number;
  /** Dampen the first step too, as MLX; PyTorch starts the velocity with the whole gradient. Default false. */
  dampenFirstStep?: boolean;
  /** Whether the velocity holds ηg (Keras, TensorFlow's Keras) or g (PyTorch, TensorFlow.js). Default true. */
  lrInVelocity?: boolean;
}

/**
 * Momentum (Polyak 1964), with Nesterov's form (Sutskever et al. 2013, equations 3 and 4).
 *
 *     v ← λv − ηg;       w ← w + v     lrInVelocity (nesterov: w ← w + λv − ηg)
 *     v ← λv + (1−τ)g;   w ← w − ηv    otherwise    (nesterov: w ← w − η(g + λv))
 *
 * The two agree while η is constant. State: `momentum_buffer` (v). Defaults: `lr` 0.01, `momentum` 0.9,
 * `nesterov` false, `dampening` 0, `dampenFirstStep` false, `lrInVelocity` true. With dampening, the first step is
 * not dampened (v ← g), as in `torch.optim.SGD`, unless `dampenFirstStep`.
 *
 * @param options see {@link MomentumOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option, a value out of range, or `nesterov` with dampening or without momentum.
 * @example momentum({ lr: 0.1, momentum: 0.9, nesterov: true })
 */
export const momentum: RuleFactory<MomentumOptions> = defineRule({
  name: 'momentum',
  wgsl: `${wgsl}\n${velocityWgsl}`,
  options: {
    ...commonOptions(0.01),
    momentum: number(0.9, 0, 1),
    nesterov: boolean(false),
    dampening: number(0, 0),
    dampenFirstStep: boolean(false),
    lrInVelocity: boolean(true),
  },
  complaint: (o) => {
    if (o.nesterov && o.dampening !== 0) {
      return `nesterov with dampening ${o.dampening} is not defined; set dampening to 0 or nesterov to false.`;
    }
    return nesterovComplaint(o);
  },
  slots: [{ name: 'momentum_buffer' }],
  switches: (o) => ({ DAMPEN_FIRST_STEP: o.dampenFirstStep, ...velocitySwitches(o) }),
  scalars: (o, lr) => ({ lr, momentum: o.momentum, one_minus_dampening: 1 - o.dampening }),
  prepare: ({ scalar }, h, on, t) => ({
    ...h,
    undamped: t === 1 && !on.DAMPEN_FIRST_STEP ? scalar(1) : h.one_minus_dampening,
  }),
  reference: (f, element) => advance(f, element, element.g, f.mul(element.h.undamped, element.g)),
});
