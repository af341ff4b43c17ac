import wgsl from '../../shaders/rules/momentum.wgsl?raw';
import { advance } from './parts/velocity.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { type VelocityOptions, dampedVelocity } from './parts/dampening.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link momentum}. */
export interface MomentumOptions extends CommonOptions, VelocityOptions {}

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
export const momentum: RuleFactory<MomentumOptions, 'momentum_buffer'> = declareRule({
  name: 'momentum',
  wgsl,
  parts: [dampedVelocity],
  options: commonOptions(0.01),
  scalars: (_, lr) => ({ lr }),
  reference: (f, element) => advance(f, element, element.g, f.mul(element.h.undamped, element.g)),
});
