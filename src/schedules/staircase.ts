import { quote } from '../errors.js';
import { choice, number, checkOptions } from '../rules/options/options.js';
import { type BoundaryRule, boundariesBehind, boundaryRules, cosineRemaining, decayed } from './curve.js';
import type { LearningRateSchedule } from './schedule.js';
import { type Resolved, baseRate, count, increasing, integer, invalid, optional, rates } from './specs.js';

/** Options of `schedules.constant`. */
export interface ConstantOptions {
  /** The learning rate η ≥ 0. */
  lr: number;
  /** With `totalIters`: multiplies η during the first steps, ≥ 0. Default: none; PyTorch's is 1/3. */
  factor?: number | undefined;
  /** With `factor`: for how many steps that applies, an integer ≥ 1. Default: none; PyTorch's is 5. */
  totalIters?: number | undefined;
}

/**
 * The same rate at every step; with `factor`, another one before step `totalIters`.
 *
 *     η(t) = η · factor  for t < totalIters, else η
 *
 * Without `factor` this is `optax.constant_schedule`, with it `torch.optim.lr_scheduler.ConstantLR`, which allows
 * factors up to 1 only.
 *
 * @param options η alone, or all options.
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or one of `factor` and
 *   `totalIters` without the other.
 * @example schedules.constant({ lr: 0.05, factor: 0.5, totalIters: 4 }) // 0.025 four times, then 0.05
 */
export function constant(options: number | ConstantOptions): LearningRateSchedule {
  const name = 'schedules.constant';
  const { lr, factor, totalIters } = checkOptions<Resolved<ConstantOptions>>(
    name,
    { lr: baseRate, factor: optional(baseRate), totalIters: optional(count) },
    typeof options === 'number' ? { lr: options } : options,
  );
  if (factor === undefined && totalIters === undefined) return () => lr;
  if (factor === undefined || totalIters === undefined) {
    throw invalid(
      name,
      `factor is ${quote(factor)} and totalIters is ${quote(totalIters)}; give both or neither.`,
    );
  }
  return (t) => (t < totalIters ? lr * factor : lr);
}

/** Options of `schedules.step`. */
export interface StepOptions {
  /** The learning rate η ≥ 0 at step 0. */
  lr: number;
  /** After how many epochs the rate falls, an integer ≥ 1. */
  stepSize: number;
  /** Factor γ ≥ 0 of each fall. Default 0.1. */
  gamma?: number;
  /** How many steps make an epoch, an integer ≥ 1. Default 1: `stepSize` counts steps. */
  stepsPerEpoch?: number;
}

/**
 * Falls by a factor at regular intervals.
 *
 *     η(t) = η · γ^⌊e / stepSize⌋,  e = ⌊t / stepsPerEpoch⌋
 *
 * `torch.optim.lr_scheduler.StepLR`, which counts calls of its own `step()`: epochs by habit, so say with
 * `stepsPerEpoch` how many optimizer steps an epoch has. Keras' `ExponentialDecay` and `optax.exponential_decay`
 * are the same with `staircase=True`, and count optimizer steps.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.step({ lr: 0.1, stepSize: 30, stepsPerEpoch: 500 }) // 0.1, from step 15,000 on 0.01, …
 */
export function step(options: StepOptions): LearningRateSchedule {
  const { lr, stepSize, gamma, stepsPerEpoch } = checkOptions<Resolved<StepOptions>>(
    'schedules.step',
    { lr: baseRate, stepSize: count, gamma: number(0.1, 0), stepsPerEpoch: integer(1, 1) },
    options,
  );
  return (t) => lr * gamma ** Math.floor(t / (stepSize * stepsPerEpoch));
}

/** Options of `schedules.multiStep`. */
export interface MultiStepOptions {
  /** The learning rate η ≥ 0 before the first milestone. */
  lr: number;
  /** The epochs at which the rate falls: strictly increasing integers ≥ 0. */
  milestones: readonly number[];
  /** Factor γ ≥ 0 of each fall. Default 0.1. */
  gamma?: number;
  /** Whether the rate has fallen `'at'` the milestone (default, as PyTorch) or only `'after'` it (as Keras). */
  boundary?: BoundaryRule;
  /** How many steps make an epoch, an integer ≥ 1. Default 1: milestones are steps. */
  stepsPerEpoch?: number;
}

/**
 * Falls by a factor at each milestone.
 *
 *     η(t) = η · γ^n,  n the number of milestones ≤ e (or, with boundary 'after', < e),  e = ⌊t / stepsPerEpoch⌋
 *
 * `torch.optim.lr_scheduler.MultiStepLR`; it counts epochs by habit, see {@link step}. Keras'
 * `PiecewiseConstantDecay` keeps the old rate at the boundary itself. A factor of its own for each milestone:
 * {@link piecewise} with `scales`.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.multiStep({ lr: 0.05, milestones: [2, 5, 9] }) // 0.05, 0.05, then 0.005 three times, …
 */
export function multiStep(options: MultiStepOptions): LearningRateSchedule {
  const { lr, gamma, boundary, stepsPerEpoch, ...given } = checkOptions<Resolved<MultiStepOptions>>(
    'schedules.multiStep',
    {
      lr: baseRate,
      milestones: increasing(0),
      gamma: number(0.1, 0),
      boundary: choice<BoundaryRule>('at', boundaryRules),
      stepsPerEpoch: integer(1, 1),
    },
    options,
  );
  const milestones = [...given.milestones];
  return (t) => lr * gamma ** boundariesBehind(milestones, Math.floor(t / stepsPerEpoch), boundary);
}

/** Options of `schedules.piecewise`: `boundaries` with `values`, or with `lr` and `scales`. */
export interface PiecewiseOptions {
  /** The steps at which the rate changes: strictly increasing integers ≥ 0. */
  boundaries: readonly number[];
  /** The rates before, between and after the boundaries, each ≥ 0: one more than there are boundaries. */
  values?: readonly number[] | undefined;
  /** In place of `values`: the rate ≥ 0 before the first boundary. */
  lr?: number | undefined;
  /** With `lr`: by what the rate is multiplied at each boundary, each ≥ 0. */
  scales?: readonly number[] | undefined;
  /** Whether the new rate holds `'at'` the boundary (default, as optax) or only `'after'` it (as Keras). */
  boundary?: BoundaryRule;
  /** `'none'` (default): jumps. `'linear'` or `'cosine'`: the rate moves, and meets each value at its boundary. */
  interpolation?: 'none' | 'linear' | 'cosine';
}

/**
 * One rate for each stretch of steps, or a way through given points.
 *
 *     none:         η(t) = values[n],  n the number of boundaries ≤ t (or, with boundary 'after', < t)
 *     interpolated: from values[0] at step 0 to values[i + 1] at boundaries[i], and the last one from there on
 *
 * Keras' `PiecewiseConstantDecay` takes `values` and is boundary 'after' (the step at a boundary still has the old
 * rate); `optax.piecewise_constant_schedule` takes a start and `scales`, which multiply, and is boundary 'at';
 * `optax.piecewise_interpolate_schedule` interpolates. Defaults: `boundary` 'at', `interpolation` 'none'.
 *
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or lists whose lengths differ.
 * @example schedules.piecewise({ boundaries: [100, 200], values: [0.1, 0.05, 0.01] })
 * @example schedules.piecewise({ lr: 0.1, boundaries: [100, 200], scales: [0.5, 0.2] }) // the same
 */
export function piecewise(options: PiecewiseOptions): LearningRateSchedule {
  const name = 'schedules.piecewise';
  const o = checkOptions<Resolved<PiecewiseOptions>>(
    name,
    {
      boundaries: increasing(0),
      values: optional(rates()),
      lr: optional(baseRate),
      scales: optional(rates()),
      boundary: choice<BoundaryRule>('at', boundaryRules),
      interpolation: choice<'none' | 'linear' | 'cosine'>('none', ['none', 'linear', 'cosine']),
    },
    options,
  );
  const values = pieceValues(name, o);
  const boundaries = [...o.boundaries];
  if (o.interpolation === 'none') return (t) => values[boundariesBehind(boundaries, t, o.boundary)]!;
  const points = [0, ...boundaries];
  return (t) => {
    const n = boundariesBehind(boundaries, t, 'at');
    if (n === boundaries.length) return values[n]!;
    const done = (t - points[n]!) / (points[n + 1]! - points[n]!);
    return decayed(
      values[n]!,
      values[n + 1]!,
      o.interpolation === 'cosine' ? cosineRemaining(done) : 1 - done,
    );
  };
}

/** The rate of each stretch. */
function pieceValues(name: string, o: Resolved<PiecewiseOptions>): number[] {
  const { boundaries, values, lr, scales } = o;
  if ((values === undefined) === (lr === undefined) || (lr === undefined) !== (scales === undefined)) {
    throw invalid(
      name,
      `values is ${quote(values)}, lr is ${quote(lr)}, scales is ${quote(scales)}; give values, or lr and scales.`,
    );
  }
  const expected = scales === undefined ? boundaries.length + 1 : boundaries.length;
  const list = scales ?? values!;
  if (list.length !== expected) {
    throw invalid(
      name,
      `${scales === undefined ? 'values' : 'scales'} is ${quote(list)}, of length ${list.length}; ` +
        `give ${expected}, as there are ${boundaries.length} boundaries.`,
    );
  }
  if (scales === undefined) return [...list];
  const rate = [lr!];
  for (const scale of scales) rate.push(rate.at(-1)! * scale);
  return rate;
}
