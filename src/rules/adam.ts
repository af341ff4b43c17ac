import wgsl from '../../shaders/rules/adam.wgsl?raw';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import { type AdamMomentsOptions, adamMoments, adamStep, takeMoments } from './parts/adam-moments.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adam}. */
export interface AdamOptions extends CommonOptions, AdamMomentsOptions {}

/** The state slots of rules with Adam's equation. */
export type AdamSlot = 'exp_avg' | 'exp_avg_sq' | 'max_exp_avg_sq';

/**
 * Adam (Kingma & Ba 2015, Algorithm 1), with AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2) as an option.
 *
 *     m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)g²;   m̂ = m/(1−β₁ᵗ);   v̂ = v/(1−β₂ᵗ)
 *     w ← w − ηm̂/(√v̂+ε)                       epsPlacement 'outside' (default): PyTorch, optax, TensorFlow.js
 *     w ← w − ηm̂/√(v̂+ε)                       'inside': optax with eps_root = ε and eps = 0
 *     w ← w − η√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v+ε)    'hat': TensorFlow, Keras
 *
 * t is the 1-based number of the step; without `biasCorrection`, m̂ = m and v̂ = v. Some course notes print the correction
 * as m/(1−β₁), without the power: a slip that makes the first step right and every later one wrong.
 *
 * With `amsgrad`, the maximum is taken over the uncorrected v, as PyTorch and Keras do, or, with `amsgradCorrected`, over v̂,
 * as optax. State: `exp_avg` (m), `exp_avg_sq` (v), and `max_exp_avg_sq` if amsgrad. Defaults: `lr` 0.001, `betas` [0.9, 0.999], `eps` 1e-8,
 * `amsgrad` false, `amsgradCorrected` false, `biasCorrection` true, `epsPlacement` 'outside'.
 *
 * @param options see {@link AdamOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adam({ lr: 1e-3, betas: [0.9, 0.99], weightDecay: 0.01, weightDecayMode: 'decoupled' })
 */
export const adam: RuleFactory<AdamOptions, AdamSlot> = declareRule({
  name: 'adam',
  wgsl,
  parts: [adamMoments],
  options: commonOptions(0.001),
  scalars: (_, lr) => ({ lr }),
  reference: (f, element) => {
    takeMoments(f, element);
    return f.sub(element.w, adamStep(f, element.s.exp_avg, element));
  },
});
