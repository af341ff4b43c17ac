import { quote } from '../errors.js';
import { type LearningRate, choice, learningRate, checkOptions } from '../rules/options/options.js';
import { boundariesBehind, cosineRemaining, decayed } from './curve.js';
import { linear } from './decay.js';
import { type LearningRateSchedule, toSchedule, withStateOf } from './schedule.js';
import {
  type Resolved,
  baseRate,
  count,
  increasing,
  integer,
  invalid,
  optional,
  rejectGivenTwice,
  required,
} from './specs.js';

/**
 * One schedule after another, each starting from its own step 0.
 *
 *     η(t) = schedules[n](t − boundaries[n − 1]),  n the number of boundaries ≤ t;  schedules[0](t) before the first
 *
 * `optax.join_schedules` and `torch.optim.lr_scheduler.SequentialLR`, which agree: the step at a boundary is step 0
 * of the next schedule. PyTorch refuses a `ReduceLROnPlateau` here; this takes one, and carries its state.
 *
 * @param schedules at least one; a number stands for the schedule that always returns it.
 * @param boundaries strictly increasing integers ≥ 1, one less than there are schedules.
 * @throws OptimizerError `invalid-option` on anything else.
 * @example schedules.join([0.01, schedules.cosine({ lr: 0.1, tMax: 900 })], [100])
 */
export function join(
  schedules: readonly LearningRate[],
  boundaries: readonly number[],
): LearningRateSchedule {
  const name = 'schedules.join';
  const given = checkOptions<{ boundaries: readonly number[] }>(
    name,
    { boundaries: increasing(1) },
    { boundaries },
  );
  const parts = toSchedules(name, schedules);
  if (parts.length !== boundaries.length + 1) {
    throw invalid(
      name,
      `there are ${parts.length} schedules, and boundaries is ${quote(boundaries)}; ` +
        `give ${parts.length - 1} boundaries, one between each two schedules.`,
    );
  }
  const starts = [0, ...given.boundaries];
  const ends = starts.slice(1);
  const joined = (t: number) => {
    const n = boundariesBehind(ends, t, 'at');
    return parts[n]!(t - starts[n]!);
  };
  return withStateOf('join', joined, parts);
}

/**
 * Several schedules at once, multiplied. One has the learning rate; the others are factors of it, with an `lr` of 1.
 *
 *     η(t) = schedules[0](t) · schedules[1](t) · …
 *
 * `torch.optim.lr_scheduler.ChainedScheduler`, and several schedulers of one optimizer, whose `step()` is called in turn:
 * there each multiplies the rate that it finds by its own factor. (A `CosineAnnealingLR` with an `eta_min` adds to it, too;
 * here `etaMin` is a factor like the rest.) PyTorch refuses a `ReduceLROnPlateau` in the chain; this takes one, and carries
 * its state. optax and Keras have none.
 *
 * @param schedules at least one; a number stands for the schedule that always returns it.
 * @throws OptimizerError `invalid-option` on anything else.
 * @example schedules.product([schedules.cosine({ lr: 0.1, tMax: 900 }), schedules.step({ lr: 1, stepSize: 300 })])
 */
export function product(schedules: readonly LearningRate[]): LearningRateSchedule {
  const parts = toSchedules('schedules.product', schedules);
  return withStateOf('product', (t) => parts.reduce((rate, part) => rate * part(t), 1), parts);
}

/** Options of `schedules.warmup`. */
export interface WarmupOptions {
  /** How many steps W the warm-up takes, an integer ≥ 1. */
  warmupSteps: number;
  /** The rate at step 0 as a factor ≥ 0 of the one to reach. Default 0; that of PyTorch's `LinearLR` is 1/3. */
  startFactor?: number | undefined;
  /** In place of `startFactor`: the rate itself, ≥ 0. */
  startLr?: number | undefined;
  /** The way up. Default `'linear'`. */
  mode?: 'linear' | 'constant' | 'exponential' | 'cosine';
  /** How the schedule's own steps relate to the warm-up. Default `'outside'`. */
  position?: 'outside' | 'inside' | 'overlap';
  /** With position `'inside'`: how many steps T the schedule has, W included; an integer above W. */
  totalSteps?: number | undefined;
}

/**
 * A warm-up before a schedule s, or over its first steps (Goyal et al. 2017, section 2.2: constant and gradual).
 *
 *     t < W:  from `start` to s(0), at fraction r = t/W;  start = startLr or startFactor · s(0)
 *             linear: start + (s(0) − start)·r;   cosine: the same with (1 − cos πr)/2 for r
 *             constant: start;   exponential: start^(1−r) · s(0)^r
 *     t ≥ W:  outside: s(t − W);   inside: s((t − W)·T/(T − W));   overlap: s(t), and s(t) for s(0) above as well
 *
 * Is the warm-up a part of the decay? The libraries disagree, and `position` chooses:
 * - `'outside'`: no; the schedule starts when the warm-up ends, so the whole takes W steps longer. Keras'
 *   `CosineDecay(warmup_steps=…)`, PyTorch's `SequentialLR`, `optax.join_schedules`.
 * - `'inside'`: yes; the schedule is squeezed into the steps that are left (so it is asked for fractions of steps),
 *   and still ends at step T. `optax.warmup_cosine_decay_schedule`, whose `decay_steps` is T, and Hugging
 *   Face's `get_cosine_schedule_with_warmup`, whose `num_training_steps` is.
 * - `'overlap'`: the schedule runs on during the warm-up, which scales it. PyTorch's `ChainedScheduler` of a
 *   `LinearLR` (`'linear'`) or `ConstantLR` (`'constant'`) and another one.
 *
 * All of them are at `start` at step 0, which with the default of 0 moves nothing, and at s at step W. For a
 * warm-up that is at s(0)/W at step 0 and at s(0) at step W − 1, give `warmupSteps: W - 1, startFactor: 1 / W`.
 *
 * @param schedule what to warm up to; a number stands for the schedule that always returns it.
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, a start given twice,
 *   `totalSteps` without `'inside'` or the other way round, or `'exponential'` from 0.
 * @example schedules.warmup(schedules.cosine({ lr: 0.1, tMax: 1000 }), { warmupSteps: 100 }) // 1100 steps
 */
export function warmup(schedule: LearningRate, options: WarmupOptions): LearningRateSchedule {
  const name = 'schedules.warmup';
  rejectNoRate(name, 'the schedule', schedule);
  const o = checkOptions<Resolved<WarmupOptions>>(
    name,
    {
      warmupSteps: count,
      startFactor: optional(baseRate),
      startLr: optional(baseRate),
      mode: choice('linear', ['linear', 'constant', 'exponential', 'cosine']),
      position: choice('outside', ['outside', 'inside', 'overlap']),
      totalSteps: optional(count),
    },
    options,
  );
  rejectContradictions(name, o);
  const { warmupSteps: W, startLr, startFactor = 0, mode, position } = o;
  const stretch = o.totalSteps ?? 1;
  const left = o.totalSteps === undefined ? 1 : o.totalSteps - W;
  const inner = toSchedule(schedule);
  const warm = (t: number) => {
    // Divided first, so that the last step of T is exactly the last one of the schedule.
    if (t >= W) return inner(position === 'overlap' ? t : ((t - W) / left) * stretch);
    const target = inner(position === 'overlap' ? t : 0);
    const start = startLr ?? startFactor * target;
    if (mode === 'constant') return start;
    if (mode === 'exponential') return start ** (1 - t / W) * target ** (t / W);
    // The other way round, from the target down: that keeps a small start exact.
    return decayed(target, start, mode === 'cosine' ? cosineRemaining(1 - t / W) : t / W);
  };
  return withStateOf('warmup', warm, [schedule]);
}

/** Options of `schedules.linearWithWarmup`. */
export interface LinearWithWarmupOptions {
  /** The highest learning rate η ≥ 0, at the end of the warm-up. */
  lr: number;
  /** How many steps W the rate rises, an integer ≥ 0; with 0 it begins at η. */
  numWarmupSteps: number;
  /** How many steps T the run has, the warm-up included: an integer above `numWarmupSteps`. */
  numTrainingSteps: number;
}

/**
 * Up a line from 0, and down another one to 0.
 *
 *     η(t) = η · t/W  for t < W;   η · (T − t)/(T − W)  up to T;   0 from there on
 *
 * Hugging Face's `get_linear_schedule_with_warmup`, in its names; it takes a T ≤ W, too, at which the rate drops from its
 * top to 0. The same as {@link warmup} of {@link linear}. Its `get_cosine_schedule_with_warmup` is
 * `warmup(cosine({ lr, tMax: T - W }), { warmupSteps: W })`.
 *
 * @throws OptimizerError `invalid-option` on an unknown option or a value out of range.
 * @example schedules.linearWithWarmup({ lr: 5e-5, numWarmupSteps: 500, numTrainingSteps: 10_000 })
 */
export function linearWithWarmup(options: LinearWithWarmupOptions): LearningRateSchedule {
  const name = 'schedules.linearWithWarmup';
  const { lr, numWarmupSteps, numTrainingSteps } = checkOptions<Resolved<LinearWithWarmupOptions>>(
    name,
    { lr: baseRate, numWarmupSteps: required(integer(0, 0)), numTrainingSteps: count },
    options,
  );
  if (numTrainingSteps <= numWarmupSteps) {
    throw invalid(
      name,
      `numTrainingSteps is ${quote(numTrainingSteps)}, with numWarmupSteps ${quote(numWarmupSteps)} among them; ` +
        'give more than those.',
    );
  }
  const down = linear({ lr, startFactor: 1, endFactor: 0, totalIters: numTrainingSteps - numWarmupSteps });
  return numWarmupSteps === 0 ? down : warmup(down, { warmupSteps: numWarmupSteps });
}

function rejectContradictions(name: string, o: Resolved<WarmupOptions>): void {
  rejectGivenTwice(name, 'start', { factor: o.startFactor, lr: o.startLr });
  if ((o.position === 'inside') !== (o.totalSteps !== undefined)) {
    throw invalid(
      name,
      `position is ${quote(o.position)} and totalSteps is ${quote(o.totalSteps)}; ` +
        "give totalSteps with position 'inside', and only then.",
    );
  }
  if (o.totalSteps !== undefined && o.totalSteps <= o.warmupSteps) {
    throw invalid(
      name,
      `totalSteps is ${quote(o.totalSteps)}, with warmupSteps ${quote(o.warmupSteps)} inside; give more than those.`,
    );
  }
  if (o.mode === 'exponential' && (o.startLr ?? o.startFactor ?? 0) === 0) {
    throw invalid(name, "mode is 'exponential' and the start is 0; give a startFactor or startLr > 0.");
  }
}

/** @throws OptimizerError unless there is at least one, and each is a learning rate. */
function toSchedules(name: string, schedules: readonly LearningRate[]): LearningRateSchedule[] {
  if (!Array.isArray(schedules) || schedules.length === 0) {
    throw invalid(name, `schedules is ${quote(schedules)}; give an array of at least one.`);
  }
  return Array.from(schedules as readonly LearningRate[], (part, i) => {
    rejectNoRate(name, `schedules[${i}]`, part);
    return toSchedule(part);
  });
}

function rejectNoRate(name: string, what: string, given: unknown): void {
  const { accepts, range } = learningRate(0);
  if (!accepts(given)) throw invalid(name, `${what} is ${quote(given)}; give ${range}.`);
}
