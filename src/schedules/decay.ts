import { boolean, number, checkOptions } from '../rules/options/options.js';
import { decayed } from './curve.js';
import type { LearningRateSchedule } from './schedule.js';
import {
  type Resolved,
  baseRate,
  count,
  integer,
  optional,
  positive,
  rejectGivenTwice,
  required,
} from './specs.js';

/** Options of `schedules.inverseSqrt`. */
export interface InverseSqrtOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** How many steps T > 0 the decay counts as one. Default 1. */
  timescale?: number;
}

/**
 * Falls with the root of the step: the decay of online convex optimization, whose regret it bounds (Zinkevich 2003).
 *
 *     η(t) = η / √(1 + t/T),  so by default η / √(t + 1)
 *
 * PyTorch, Keras and optax have none. Hugging Face's `get_inverse_sqrt_schedule` and big_vision's `rsqrt` are this
 * with a `timescale`, after a linear warm-up from 0: `warmup(inverseSqrt({ lr, timescale }), { warmupSteps })`;
 * with `timescale` = `warmupSteps` = w that is η√(w/t) after the warm-up, as fairseq's `inverse_sqrt`.
 *
 * @param options η alone, or all options.
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.inverseSqrt({ lr: 0.1 }) // 0.1, 0.0707…, 0.0577…, 0.05, …
 */
export function inverseSqrt(options: number | InverseSqrtOptions): LearningRateSchedule {
  const { lr, timescale } = checkOptions<Resolved<InverseSqrtOptions>>(
    'schedules.inverseSqrt',
    { lr: baseRate, timescale: positive(1) },
    typeof options === 'number' ? { lr: options } : options,
  );
  return (t) => lr / Math.sqrt(1 + t / timescale);
}

/** Options of `schedules.inverseTime`. */
export interface InverseTimeOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** What the denominator grows by in `decaySteps` steps, ≥ 0. */
  decayRate: number;
  /** In how many steps, an integer ≥ 1. Default 1: at every step, as the `decay` of Keras' old optimizers. */
  decaySteps?: number;
  /** Whether to change only every `decaySteps` steps, at once. Default false: smoothly. */
  staircase?: boolean;
}

/**
 * Falls as one over the steps: fast at first, then ever more slowly, and never to 0.
 *
 *     η(t) = η / (1 + decayRate · p),  p = t / decaySteps,  with staircase ⌊t / decaySteps⌋
 *
 * Keras' `InverseTimeDecay`, `tf.compat.v1.train.inverse_time_decay`; neither has a default for `decaySteps`. The `decay`
 * d of Keras' old optimizers is `decayRate: d`. PyTorch and optax have none.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.inverseTime({ lr: 0.1, decayRate: 0.5, decaySteps: 1000 }) // at step 1000 0.0667, at 2000 0.05
 */
export function inverseTime(options: InverseTimeOptions): LearningRateSchedule {
  const { lr, decayRate, decaySteps, staircase } = checkOptions<Resolved<InverseTimeOptions>>(
    'schedules.inverseTime',
    {
      lr: baseRate,
      decayRate: required(number(1, 0)),
      decaySteps: integer(1, 1),
      staircase: boolean(false),
    },
    options,
  );
  return (t) => {
    const periods = t / decaySteps;
    return lr / (1 + decayRate * (staircase ? Math.floor(periods) : periods));
  };
}

/** Options of `schedules.exponential`. */
export interface ExponentialOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** Factor γ ≥ 0 by which the rate changes in `decaySteps` steps; Keras and optax call it `decay_rate`. */
  gamma: number;
  /** In how many steps, an integer ≥ 1. Default 1, as PyTorch; optax calls it `transition_steps`. */
  decaySteps?: number;
  /** Whether to change only every `decaySteps` steps, at once. Default false: smoothly. */
  staircase?: boolean;
  /** The rate ≥ 0 to stop at: a lower bound if γ < 1, otherwise an upper bound, as in optax. Default: none. */
  endLr?: number | undefined;
}

/**
 * Falls by the same factor at every step.
 *
 *     η(t) = η · γ^p,  p = t / decaySteps,  with staircase ⌊t / decaySteps⌋
 *
 * `torch.optim.lr_scheduler.ExponentialLR` has `decaySteps` 1, and counts epochs by habit: give the steps of an
 * epoch as `decaySteps`, and `staircase`. Keras' `ExponentialDecay` and `optax.exponential_decay` have both
 * options. With γ = 0 the rate is η at step 0 and 0 afterwards, as in PyTorch and Keras; optax stays at η.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.exponential({ lr: 0.1, gamma: 0.96, decaySteps: 100_000, staircase: true })
 */
export function exponential(options: ExponentialOptions): LearningRateSchedule {
  const { lr, gamma, decaySteps, staircase, endLr } = checkOptions<Resolved<ExponentialOptions>>(
    'schedules.exponential',
    {
      lr: baseRate,
      gamma: required(number(1, 0)),
      decaySteps: integer(1, 1),
      staircase: boolean(false),
      endLr: optional(baseRate),
    },
    options,
  );
  return (t) => {
    const periods = t / decaySteps;
    const rate = lr * gamma ** (staircase ? Math.floor(periods) : periods);
    if (endLr === undefined) return rate;
    return gamma < 1 ? Math.max(rate, endLr) : Math.min(rate, endLr);
  };
}

/** Options of `schedules.polynomial`. */
export interface PolynomialOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** In how many steps N the end is reached, an integer ≥ 1; Keras calls it `decay_steps`. */
  totalIters: number;
  /** The power p ≥ 0. Default 1. */
  power?: number;
  /** The rate ≥ 0 at the end. Default 0, the only choice in PyTorch; Keras' default is 1e-4. */
  endLr?: number;
  /** Whether to start again after the end, each time N steps longer, as Keras can. Default false: hold. */
  cycle?: boolean;
}

/**
 * Falls as a power of the steps that are left.
 *
 *     η(t) = endLr + (η − endLr) · (1 − min(t, N)/N)^p
 *     cycle: N is replaced by N · ⌈t/N⌉, the first multiple of N that is not below t
 *
 * `torch.optim.lr_scheduler.PolynomialLR`, Keras' `PolynomialDecay`, `optax.polynomial_schedule`. They agree that
 * the end is reached at step N and held; only Keras can `cycle`. A start put off, which is optax'
 * `transition_begin`: `join([lr, polynomial(…)], [begin])`.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.polynomial({ lr: 0.1, totalIters: 10_000, endLr: 0.01, power: 0.5 })
 */
export function polynomial(options: PolynomialOptions): LearningRateSchedule {
  const { lr, totalIters, power, endLr, cycle } = checkOptions<Resolved<PolynomialOptions>>(
    'schedules.polynomial',
    {
      lr: baseRate,
      totalIters: count,
      power: number(1, 0),
      endLr: number(0, 0),
      cycle: boolean(false),
    },
    options,
  );
  return (t) => {
    const length = cycle ? totalIters * Math.max(1, Math.ceil(t / totalIters)) : totalIters;
    return decayed(lr, endLr, (1 - Math.min(t, length) / length) ** power);
  };
}

/** Options of `schedules.linear`. */
export interface LinearOptions {
  /** The learning rate η ≥ 0 that the factors refer to. */
  lr: number;
  /** In how many steps N the end is reached, an integer ≥ 1. PyTorch's default is 5; here there is none. */
  totalIters: number;
  /** The rate at step 0 as a factor ≥ 0 of η. Default 1/3. */
  startFactor?: number | undefined;
  /** In place of `startFactor`: the rate itself, ≥ 0. */
  startLr?: number | undefined;
  /** The rate from step N on as a factor ≥ 0 of η. Default 1. */
  endFactor?: number | undefined;
  /** In place of `endFactor`: the rate itself, ≥ 0. */
  endLr?: number | undefined;
}

/**
 * A straight line, then its end for good.
 *
 *     η(t) = start + (end − start) · min(t, N)/N
 *
 * The defaults are those of `torch.optim.lr_scheduler.LinearLR`: a warm-up, from η/3 to η; it takes factors up to 1,
 * and a start above 0. `optax.linear_schedule` takes the two rates: `startLr` and `endLr`. Keras' line is
 * `PolynomialDecay`, from η down to 1e-4: see {@link polynomial}.
 *
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or an end given twice.
 * @example schedules.linear({ lr: 0.1, startFactor: 1, endFactor: 0, totalIters: 1000 }) // 0.1 down to 0
 */
export function linear(options: LinearOptions): LearningRateSchedule {
  const name = 'schedules.linear';
  const rate = optional(baseRate);
  const { lr, totalIters, ...o } = checkOptions<Resolved<LinearOptions>>(
    name,
    { lr: baseRate, totalIters: count, startFactor: rate, startLr: rate, endFactor: rate, endLr: rate },
    options,
  );
  rejectGivenTwice(name, 'start', { factor: o.startFactor, lr: o.startLr });
  rejectGivenTwice(name, 'end', { factor: o.endFactor, lr: o.endLr });
  const start = o.startLr ?? lr * (o.startFactor ?? 1 / 3);
  const end = o.endLr ?? lr * (o.endFactor ?? 1);
  return (t) => decayed(end, start, t / totalIters);
}
