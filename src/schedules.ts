import { join, linearWithWarmup, product, warmup } from './schedules/compose.js';
import { cosine, cosineRestarts } from './schedules/cosine.js';
import { exponential, inverseSqrt, inverseTime, linear, polynomial } from './schedules/decay.js';
import { oneCycle } from './schedules/one-cycle.js';
import { reduceOnPlateau } from './schedules/reduce-on-plateau.js';
import { constant, multiStep, piecewise, step } from './schedules/staircase.js';

export type { BoundaryRule } from './schedules/curve.js';
export type { LinearWithWarmupOptions, WarmupOptions } from './schedules/compose.js';
export type { CosineOptions, CosineRestartsOptions } from './schedules/cosine.js';
export type {
  ExponentialOptions,
  InverseSqrtOptions,
  InverseTimeOptions,
  LinearOptions,
  PolynomialOptions,
} from './schedules/decay.js';
export type { OneCycleOptions } from './schedules/one-cycle.js';
export type { ReduceOnPlateauOptions, ReduceOnPlateauSchedule } from './schedules/reduce-on-plateau.js';
export type {
  LearningRateSchedule,
  ScheduleState,
  ScheduleValue,
  StatefulSchedule,
} from './schedules/schedule.js';
export type {
  ConstantOptions,
  MultiStepOptions,
  PiecewiseOptions,
  StepOptions,
} from './schedules/staircase.js';

/**
 * Learning-rate schedules: what each returns is the `lr` of a rule, a function of the 0-based step.
 *
 * Steps are optimizer steps. PyTorch's schedulers count calls of their own `step()`, which by habit come once per
 * epoch; to have any schedule s count epochs, give `(t) => s(Math.floor(t / stepsPerEpoch))`.
 *
 * Options have PyTorch's names in camelCase, or those of optax or Keras where PyTorch has none. Where the three
 * disagree about a formula, the schedule says so and an option chooses. Each is checked when the schedule is made.
 *
 * @example
 * const lr = schedules.warmup(schedules.cosine({ lr: 1e-3, tMax: 10_000 }), { warmupSteps: 500 });
 * const optimizer = await Optimizer.create(device, { rule: adam({ lr }), params });
 */
export const schedules = Object.freeze({
  constant,
  inverseSqrt,
  inverseTime,
  step,
  multiStep,
  exponential,
  polynomial,
  linear,
  cosine,
  cosineRestarts,
  warmup,
  linearWithWarmup,
  oneCycle,
  piecewise,
  join,
  product,
  reduceOnPlateau,
});
