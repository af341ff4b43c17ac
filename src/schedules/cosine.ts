import { quote } from '../errors.js';
import { choice, number, checkOptions } from '../rules/options/options.js';
import { cosineRemaining, decayed } from './curve.js';
import type { LearningRateSchedule } from './schedule.js';
import { type Resolved, baseRate, count, invalid } from './specs.js';

/** Options of `schedules.cosine`. */
export interface CosineOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** In how many steps T the lowest rate is reached, an integer ≥ 1; Keras and optax call it `decay_steps`. */
  tMax: number;
  /** The lowest rate, from 0 to `lr`. Default 0. Keras and optax take it as the factor `alpha` = etaMin / lr. */
  etaMin?: number;
  /** Past step T, `'hold'` the lowest rate (default, as Keras and optax) or `'rise'` again (as PyTorch). */
  afterEnd?: 'hold' | 'rise';
  /** Power p ≥ 0 of the half cosine, as in optax. Default 1. */
  exponent?: number;
}

/**
 * Falls along half a cosine (Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts).
 *
 *     η(t) = etaMin + (η − etaMin) · ((1 + cos(πt/T)) / 2)^p
 *     hold: t is at most T;   rise: it goes on, so the rate swings between η and etaMin with period 2T
 *
 * Past T the libraries disagree: `torch.optim.lr_scheduler.CosineAnnealingLR` goes back up, Keras' `CosineDecay` and
 * `optax.cosine_decay_schedule` hold. With a warm-up Keras counts T from its end, and
 * `optax.warmup_cosine_decay_schedule` from step 0: see the `position` of {@link warmup}.
 *
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or `etaMin` above `lr`.
 * @example schedules.cosine({ lr: 0.1, tMax: 1000, etaMin: 0.001 })
 */
export function cosine(options: CosineOptions): LearningRateSchedule {
  const name = 'schedules.cosine';
  const { lr, tMax, etaMin, afterEnd, exponent } = checkOptions<Resolved<CosineOptions>>(
    name,
    {
      lr: baseRate,
      tMax: count,
      etaMin: number(0, 0),
      afterEnd: choice<'hold' | 'rise'>('hold', ['hold', 'rise']),
      exponent: number(1, 0),
    },
    options,
  );
  rejectLowAboveHigh(name, etaMin, lr);
  return (t) => {
    const within = afterEnd === 'hold' ? Math.min(t, tMax) : t % (2 * tMax);
    return decayed(lr, etaMin, cosineRemaining(within / tMax) ** exponent);
  };
}

/** Options of `schedules.cosineRestarts`. */
export interface CosineRestartsOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** How many steps the first cycle has, an integer ≥ 1; Keras calls it `first_decay_steps`. */
  t0: number;
  /** By what each cycle is longer than the one before, a number ≥ 1. Default 1, as PyTorch; Keras' is 2. */
  tMult?: number;
  /** The rate that each cycle falls to, from 0 to `lr`. Default 0. Keras takes the factor `alpha` = etaMin / lr. */
  etaMin?: number;
  /** By what the height of each cycle differs from the one before, ≥ 0, as in Keras. Default 1. */
  mMul?: number;
}

/**
 * Falls along half a cosine, again and again (Loshchilov & Hutter 2017, "SGDR", equation 5).
 *
 *     η(t) = etaMin + (η − etaMin) · mMulⁱ · (1 + cos(π·c/Tᵢ)) / 2
 *     i the number of restarts so far, Tᵢ = t0 · tMultⁱ, c the steps since the last restart
 *
 * `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts` (there `tMult` is an integer and `mMul` is 1) and Keras'
 * `CosineDecayRestarts`; both restart at the step at which `etaMin` would be reached, so it never quite is.
 * `optax.sgdr_schedule` takes a list of cycles: {@link join} some of {@link cosine}.
 *
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or `etaMin` above `lr`.
 * @example schedules.cosineRestarts({ lr: 0.1, t0: 1000, tMult: 2 }) // restarts at steps 1000, 3000, 7000, …
 */
export function cosineRestarts(options: CosineRestartsOptions): LearningRateSchedule {
  const name = 'schedules.cosineRestarts';
  const { lr, t0, tMult, etaMin, mMul } = checkOptions<Resolved<CosineRestartsOptions>>(
    name,
    { lr: baseRate, t0: count, tMult: number(1, 1), etaMin: number(0, 0), mMul: number(1, 0) },
    options,
  );
  rejectLowAboveHigh(name, etaMin, lr);
  return (t) => {
    const { restarts, since, length } = locate(t, t0, tMult);
    return etaMin + (lr - etaMin) * mMul ** restarts * cosineRemaining(since / length);
  };
}

/**
 * The cycle that step t falls in. Counted up, not found by logarithms as in PyTorch and Keras, which puts a step at
 * a restart on the wrong side of it once the logarithm rounds.
 */
function locate(t: number, t0: number, tMult: number): { restarts: number; since: number; length: number } {
  if (tMult === 1) return { restarts: Math.floor(t / t0), since: t % t0, length: t0 };
  let [restarts, since, length] = [0, t, t0];
  while (since >= length) {
    since -= length;
    length *= tMult;
    restarts++;
  }
  return { restarts, since, length };
}

function rejectLowAboveHigh(name: string, etaMin: number, lr: number): void {
  if (etaMin <= lr) return;
  throw invalid(name, `etaMin is ${quote(etaMin)}, above lr ${quote(lr)}; give an etaMin from 0 to lr.`);
}
