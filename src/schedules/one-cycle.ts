import { quote } from '../errors.js';
import { boolean, choice, checkOptions } from '../rules/options/options.js';
import { cosineRemaining, decayed } from './curve.js';
import type { LearningRateSchedule } from './schedule.js';
import { type Resolved, baseRate, count, fraction, invalid, optional, positive } from './specs.js';

/** Options of `schedules.oneCycle`: `maxLr`, and `totalSteps` or both `epochs` and `stepsPerEpoch`. */
export interface OneCycleOptions {
  /** The highest learning rate, ≥ 0. */
  maxLr: number;
  /** How many steps T the cycle has, an integer ≥ 1. */
  totalSteps?: number | undefined;
  /** In place of `totalSteps`, with `stepsPerEpoch`: T is their product. An integer ≥ 1. */
  epochs?: number | undefined;
  /** In place of `totalSteps`, with `epochs`. An integer ≥ 1. */
  stepsPerEpoch?: number | undefined;
  /** The part of the cycle in which the rate rises, in [0, 1]. Default 0.3. */
  pctStart?: number;
  /** The shape of each phase. Default `'cos'`. */
  annealStrategy?: 'cos' | 'linear';
  /** The first rate is `maxLr / divFactor`; > 0. Default 25. */
  divFactor?: number;
  /** The last rate is the first one divided by this; > 0. Default 1e4. */
  finalDivFactor?: number;
  /** Whether to come back to the first rate before falling to the last one. Default false. */
  threePhase?: boolean;
  /**
   * With `threePhase`: where in the cycle the first rate is reached again, in [pctStart, 1]. Default
   * 2 · pctStart with phase ends of `'torch'`, else 0.85.
   */
  pctFinal?: number | undefined;
  /** Where phases end: `'torch'` (default) or `'optax'`. */
  phaseEnds?: 'torch' | 'optax';
}

interface Phase {
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Up to a high rate and down to a very low one (Smith & Topin 2018, "Super-Convergence").
 *
 *     first = maxLr / divFactor;  last = first / finalDivFactor
 *     two phases:   first → maxLr → last;   three phases: first → maxLr → first → last
 *     phase ends 'torch': pctStart·T − 1, (pctFinal·T − 2,) T − 1;   'optax': ⌊pctStart·T⌋, (⌊pctFinal·T⌋,) T
 *
 * `torch.optim.lr_scheduler.OneCycleLR` has both numbers of phases and both shapes, and meets the last rate at step
 * T − 1, the last of the cycle. `optax.cosine_onecycle_schedule` has two phases, `optax.linear_onecycle_schedule`
 * three, and both meet it at step T, one after; their `transition_steps` is T. Past the end PyTorch raises an
 * error; this holds the last rate, as optax does. The paper has three phases. The momentum is not cycled.
 *
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or options that do not go
 *   together.
 * @example schedules.oneCycle({ maxLr: 0.01, epochs: 10, stepsPerEpoch: 500 })
 */
export function oneCycle(options: OneCycleOptions): LearningRateSchedule {
  const name = 'schedules.oneCycle';
  const o = checkOptions<Resolved<OneCycleOptions>>(
    name,
    {
      maxLr: baseRate,
      totalSteps: optional(count),
      epochs: optional(count),
      stepsPerEpoch: optional(count),
      pctStart: fraction(0.3),
      annealStrategy: choice<'cos' | 'linear'>('cos', ['cos', 'linear']),
      divFactor: positive(25),
      finalDivFactor: positive(1e4),
      threePhase: boolean(false),
      pctFinal: optional(fraction(0.85)),
      phaseEnds: choice<'torch' | 'optax'>('torch', ['torch', 'optax']),
    },
    options,
  );
  const phases = cyclePhases(name, o, cycleLength(name, o));
  return (t) => {
    let start = 0;
    for (const { end, from, to } of phases) {
      if (t <= end) {
        // Phases of PyTorch may end before step 0; one that starts and ends at once is over.
        const done = end > start ? (t - start) / (end - start) : 1;
        return decayed(from, to, o.annealStrategy === 'cos' ? cosineRemaining(done) : 1 - done);
      }
      start = end;
    }
    return phases.at(-1)!.to;
  };
}

function cycleLength(name: string, { totalSteps, epochs, stepsPerEpoch }: Resolved<OneCycleOptions>): number {
  const product = epochs !== undefined && stepsPerEpoch !== undefined;
  const none = epochs === undefined && stepsPerEpoch === undefined;
  if (totalSteps === undefined ? product : none) return totalSteps ?? epochs! * stepsPerEpoch!;
  throw invalid(
    name,
    `totalSteps is ${quote(totalSteps)}, epochs is ${quote(epochs)}, stepsPerEpoch is ${quote(stepsPerEpoch)}; ` +
      'give totalSteps, or epochs and stepsPerEpoch.',
  );
}

function cyclePhases(name: string, o: Resolved<OneCycleOptions>, total: number): Phase[] {
  const torch = o.phaseEnds === 'torch';
  const first = o.maxLr / o.divFactor;
  const last = first / o.finalDivFactor;
  const rise = {
    end: torch ? o.pctStart * total - 1 : Math.floor(o.pctStart * total),
    from: first,
    to: o.maxLr,
  };
  const end = torch ? total - 1 : total;
  if (!o.threePhase) {
    if (o.pctFinal === undefined) return [rise, { end, from: o.maxLr, to: last }];
    throw invalid(name, `pctFinal is ${quote(o.pctFinal)}; leave it out, or give threePhase: true.`);
  }
  const pctFinal = o.pctFinal ?? (torch ? 2 * o.pctStart : 0.85);
  if (pctFinal < o.pctStart || pctFinal > 1) {
    throw invalid(
      name,
      `pctStart is ${quote(o.pctStart)} and pctFinal ${quote(pctFinal)}; give a pctFinal in [pctStart, 1].`,
    );
  }
  const fallEnd = torch ? pctFinal * total - 2 : Math.floor(pctFinal * total);
  return [rise, { end: fallEnd, from: o.maxLr, to: first }, { end, from: first, to: last }];
}
