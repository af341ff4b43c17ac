import wgsl from '../../shaders/rules/momentum.wgsl?raw';
import { type CommonOptions, type RuleFactory, commonOptions, defineRule } from './rule.js';
import {
  VELOCITY_WGSL,
  type VelocityOptions,
  moveWithVelocity,
  prepareVelocity,
  velocityComplaint,
  velocityOptions,
  velocityScalars,
  velocitySwitches,
} from './velocity.js';

/** Options of {@link momentum}. */
export interface MomentumOptions extends CommonOptions, VelocityOptions {}

/**
 * Momentum (Polyak 1964), with Nesterov's form (Sutskever et al. 2013, equations 3 and 4).
 *
 *     v ← λv − ηg;       w ← w + v     lrInVelocity (nesterov: w ← w + λv − ηg)
 *     v ← λv + (1−τ)g;   w ← w − ηv    otherwise    (nesterov: w ← w − η(g + λv))
 *
 * The two agree while η is constant. State: `momentum_buffer` (v). Defaults: `lr` 0.01, `momentum` 0.9,
 * `nesterov` false, `dampening` 0, `lrInVelocity` true. With dampening, the first step is not dampened
 * (v ← g), as in `torch.optim.SGD`.
 *
 * @param options see {@link MomentumOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option, a value out of range, or `nesterov` with dampening or without momentum.
 * @example momentum({ lr: 0.1, momentum: 0.9, nesterov: true })
 */
export const momentum: RuleFactory<MomentumOptions> = defineRule({
  name: 'momentum',
  wgsl: wgsl + VELOCITY_WGSL,
  options: { ...commonOptions(0.01), ...velocityOptions },
  complaint: (o) => velocityComplaint(o),
  slots: [{ name: 'momentum_buffer' }],
  switches: (o) => velocitySwitches(o),
  scalars: (o, lr) => velocityScalars(o, lr),
  prepare: (f, h, _, t) => prepareVelocity(f, h, t),
  reference: (f, { w, g, s, h, on }) => moveWithVelocity(f, w, g, s, h, on),
});
