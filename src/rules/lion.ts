import wgsl from '../../shaders/rules/lion.wgsl?raw';
import { betas } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { type CautionOptions, caution, cautious } from './parts/caution.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link lion}. */
export interface LionOptions extends CommonOptions, CautionOptions {
  /** [β₁, β₂], each in [0, 1): β₁ weighs the moment in this step's direction, β₂ is the moment's decay. Default [0.9, 0.99]. */
  betas?: readonly [number, number];
}

/**
 * Lion (Chen et al. 2023, Algorithm 2). Every element moves by η or not at all, so η is three to ten times smaller
 * than Adam's, and weight decay larger by as much.
 *
 *     u = sign(β₁m + (1−β₁)g);   m ← β₂m + (1−β₂)g;   w ← w − ηu
 *     cautious: u = 0 where its sign is not that of g; cautionRescaled: the others divided by max(their share, 0.001)
 *
 * Weight decay is decoupled by default, as in the paper and every library. State: `exp_avg` (m). Defaults: `lr`
 * 1e-4, `betas` [0.9, 0.99], `cautious` false, `cautionRescaled` false, `weightDecayMode` 'decoupled'.
 *
 * @param options see {@link LionOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example lion({ lr: 3e-4, weightDecay: 0.1 })
 */
export const lion: RuleFactory<LionOptions, 'exp_avg'> = declareRule({
  name: 'lion',
  wgsl,
  parts: [caution],
  options: { ...commonOptions(1e-4, 0, 'decoupled'), betas: betas([0.9, 0.99]) },
  slots: [{ name: 'exp_avg' }],
  scalars: (o, lr) => ({ lr, one_minus_beta1: 1 - o.betas[0], one_minus_beta2: 1 - o.betas[1] }),
  reference: (f, { w, g, s, h, on, tensor }) => {
    const { sub, mul, sign, lerp } = f;
    const u = cautious(f, sign(lerp(s.exp_avg, g, h.one_minus_beta1)), g, tensor, on);
    s.exp_avg = lerp(s.exp_avg, g, h.one_minus_beta2);
    return sub(w, mul(h.lr, u));
  },
});
