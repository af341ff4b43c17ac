import wgsl from '../../shaders/rules/adamw.wgsl?raw';
import type { AdamOptions, AdamSlot } from './adam.js';
import { commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import { adamMoments, adamStep, takeMoments } from './parts/adam-moments.js';
import { type CautionOptions, caution, cautious } from './parts/caution.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adamw}: those of `adam`, with `weightDecay` 0.01 and `weightDecayMode` `'decoupled'` by default. */
export interface AdamwOptions extends AdamOptions, CautionOptions {}

/**
 * AdamW (Loshchilov & Hutter 2019, Algorithm 2): {@link adam} with decoupled weight decay.
 *
 *     w ← w − ηdw;   then Adam's step, without d in the gradient
 *
 * With `cautious` (Liang et al. 2024, "Cautious Optimizers", Algorithm 1), an element takes Adam's step only where
 * m and g have the same sign; its weight decay and its state go on regardless. `cautionRescaled` divides what is left by
 * its share of the tensor's elements, or by 0.001 if that is more, as timm and the authors' code; the tensor is measured
 * for it first, as for `lamb`, so that its gradient cannot be sparse. A tensor is a parameter.
 *
 * State: as {@link adam}. Defaults: `lr` 0.001, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 0.01,
 * `weightDecayMode` 'decoupled', `amsgrad` false, `amsgradCorrected` false, `biasCorrection` true, `epsPlacement` 'outside',
 * `cautious` false, `cautionRescaled` false.
 *
 * @param options see {@link AdamwOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adamw({ lr: 3e-4, weightDecay: 0.1, cautious: true })
 */
export const adamw: RuleFactory<AdamwOptions, AdamSlot> = declareRule({
  name: 'adamw',
  wgsl,
  parts: [adamMoments, caution],
  options: commonOptions(0.001, 0.01, 'decoupled'),
  scalars: (_, lr) => ({ lr }),
  reference: (f, element) => {
    const { w, g, s, on, tensor } = element;
    takeMoments(f, element);
    return f.sub(w, adamStep(f, cautious(f, s.exp_avg, g, tensor, on), element));
  },
});
