import wgsl from '../../shaders/rules/schedule-free-sgd.wgsl?raw';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import {
  type ScheduleFreeOptions,
  advanceAverage,
  averagingRate,
  prepareScheduleFree,
  scheduleFree,
} from './parts/schedule-free.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link scheduleFreeSgd}. */
export interface ScheduleFreeSgdOptions extends CommonOptions, ScheduleFreeOptions {
  /** β in (0, 1): how near to the average x the gradient is taken. Default 0.9. */
  momentum?: number;
}

/**
 * Schedule-free SGD (Defazio et al. 2024, "The Road Less Scheduled", Algorithm 1): an average takes the place of a
 * falling learning rate.
 *
 *     z ← z − γg;   x ← (1−c)x + cz;   y ← (1−β)z + βx          g is the gradient at y
 *     γ = η·min(t/T, 1);   c = wₜ/(w₁ + … + wₜ);   wₜ = tʳγᵖ      T: warmupSteps, p: weightLrPower
 *
 * The parameters hold y while training; call `optimizer.eval()` to have x in their place, and `optimizer.train()` before
 * the next step. The weights of the average follow from the number of applied steps: those of the `schedulefree`
 * package follow the largest `lr` so far, which is the same while `lr` stays or falls. Let `warmupSteps` raise it, not
 * a schedule. Decay is taken at y and moves y and z (`weightDecayMode` `'l2'`, the default: `schedulefree`,
 * optax), or moves y alone (`'decoupled'`, as Keras' AdamW).
 *
 * State: `z_offset`, z − y, so that parameters may be overwritten. Defaults: `lr` 1, `momentum` 0.9, `warmupSteps` 0,
 * `r` 0, `weightLrPower` 2. Not for sparse gradients: rows that are not named would have to be averaged, too.
 *
 * @param options see {@link ScheduleFreeSgdOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example scheduleFreeSgd({ lr: 2, warmupSteps: 100 })
 */
export const scheduleFreeSgd: RuleFactory<ScheduleFreeSgdOptions, 'z_offset'> = declareRule({
  name: 'scheduleFreeSgd',
  wgsl,
  parts: [scheduleFree((o: { readonly momentum: number }) => o.momentum)],
  options: { ...commonOptions(1), momentum: averagingRate(0.9) },
  scalars: (_, lr) => ({ lr }),
  prepare: (f, h) => prepareScheduleFree(f, h.lr, h),
  reference: (f, { w, g, s, h, on }) => advanceAverage(f, { w, s, h, on }, g),
});
