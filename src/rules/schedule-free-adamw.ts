import wgsl from '../../shaders/rules/schedule-free-adamw.wgsl?raw';
import { type EpsPlacement, type OptionSpec, betas, choice, number } from './options/options.js';
import { type UpdateDecayOptions, commonOptions } from './options/common-options.js';
import { adamDenominator, denominator, scaleStep } from './parts/denominator.js';
import {
  type ScheduleFreeOptions,
  advanceAverage,
  averagingRate,
  prepareScheduleFree,
  scheduleFree,
} from './parts/schedule-free.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link scheduleFreeAdamw}. */
export interface ScheduleFreeAdamwOptions extends UpdateDecayOptions, ScheduleFreeOptions {
  /** [β₁, β₂]: how near to the average x the gradient is taken, in (0, 1), and the decay of the second moment, in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** ε ≥ 0, added to the denominator. Default 1e-8. */
  eps?: number;
  /** Where ε is added, as for `adam`: `'outside'` (default; schedulefree since 1.3, optax, Keras), `'inside'` or `'hat'`. */
  epsPlacement?: EpsPlacement;
}

/** Adam's betas, of which the first is divided by. */
function averagingBetas(defaultValue: readonly [number, number]): OptionSpec<readonly [number, number]> {
  const both = betas(defaultValue);
  const accepts = (value: unknown) =>
    both.accepts(value) && averagingRate(0.9).accepts((value as readonly number[])[0]);
  return {
    default: defaultValue,
    range: 'a pair of numbers, in (0, 1) and [0, 1)',
    accepts,
    samples: both.samples.filter(accepts),
  };
}

/**
 * Schedule-free AdamW (Defazio et al. 2024, "The Road Less Scheduled"): {@link scheduleFreeSgd} with Adam's denominator
 * and without its momentum, which averaging replaces.
 *
 *     v ← β₂v + (1−β₂)g²;   v̂ = v/(1−β₂ᵗ);   u = g/(√v̂+ε) + dy
 *     z ← z − γu;   x ← (1−c)x + cz;   y ← (1−β₁)z + β₁x        γ, c and what holds of them as for scheduleFreeSgd
 *
 * Weight decay d is in u as above (`weightDecayMode` `'update'`, the default: `schedulefree`, optax), added to g
 * (`'l2'`), or moves y alone (`'decoupled'`, as Keras). Keras' average is that of `weightLrPower` 0.
 *
 * State: `exp_avg_sq` (v), `z_offset` (z − y). Defaults: `lr` 0.0025, `betas` [0.9, 0.999], `eps` 1e-8, `epsPlacement`
 * 'outside', `warmupSteps` 0, `r` 0, `weightLrPower` 2. Not for sparse gradients.
 *
 * @param options see {@link ScheduleFreeAdamwOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example scheduleFreeAdamw({ weightDecay: 0.1, warmupSteps: 500 })
 */
export const scheduleFreeAdamw: RuleFactory<ScheduleFreeAdamwOptions, 'exp_avg_sq' | 'z_offset'> =
  declareRule({
    name: 'scheduleFreeAdamw',
    wgsl,
    parts: [adamDenominator, scheduleFree((o: { readonly betas: readonly [number, number] }) => o.betas[0])],
    options: {
      ...commonOptions(0.0025, 0, 'update'),
      betas: averagingBetas([0.9, 0.999]),
      eps: number(1e-8, 0),
      epsPlacement: choice<EpsPlacement>('outside', ['outside', 'inside', 'hat']),
    },
    slots: [{ name: 'exp_avg_sq', isNonNegative: true }],
    switches: (o) => ({ DECAY_UPDATE: o.weightDecay > 0 && o.weightDecayMode === 'update' }),
    scalars: (o, lr) => ({
      lr,
      one_minus_beta2: 1 - o.betas[1],
      eps: o.eps,
      weight_decay: o.weightDecay,
      bias_correction2: correctionOf(o.betas[1]),
    }),
    prepare: (f, h, on) => prepareScheduleFree(f, scaleStep(f, h.lr, h, on), h),
    reference: (f, { w, g, s, h, on }) => {
      s.exp_avg_sq = f.lerp(s.exp_avg_sq, f.mul(g, g), h.one_minus_beta2);
      let u = f.div(g, denominator(f, s.exp_avg_sq, h, on));
      if (on.DECAY_UPDATE) u = f.add(u, f.mul(h.weight_decay, w));
      return advanceAverage(f, { w, s, h, on }, u);
    },
  });
