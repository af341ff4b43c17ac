import wgsl from '../../../shaders/rules/parts/schedule-free.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { type Fixed, type OptionSpec, integer } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

/** Options of rules that average instead of following a schedule. */
export interface ScheduleFreeOptions {
  /** Steps T over which the learning rate rises to `lr`, linearly: an integer ≥ 0. Default 0. */
  warmupSteps?: Fixed;
  /** A step's weight in the average grows as tʳ: 0, 1 or 2. Default 0. */
  r?: Fixed;
  /** A step's weight in the average is its learning rate, as it rises over `warmupSteps`, to this power: 0, 1 or 2. Default 2. */
  weightLrPower?: Fixed;
}

type Resolved = Readonly<Required<ScheduleFreeOptions>>;

/** A decay rate β of the average in (0, 1), which it divides by. */
export function averagingRate(defaultValue: number): OptionSpec<number> {
  return {
    default: defaultValue,
    range: 'a number in (0, 1)',
    accepts: (value) => typeof value === 'number' && value > 0 && value < 1,
    samples: [0.5],
  };
}

/** Whether weight decay moves y alone: then the part applies it, for o to know. */
function decaysAlone({ weightDecayMode }: Decaying): boolean {
  return weightDecayMode === 'decoupled' || weightDecayMode === 'raw';
}

/**
 * (1ᵏ + 2ᵏ + … + tᵏ)/tᵏ as a polynomial in t and 1/t, exact for k from 0 to 4 (Faulhaber): the coefficients of t, 1, 1/t
 * and −1/t³.
 */
function totalOverLast(k: number): readonly [number, number, number, number] {
  return [1 / (k + 1), k > 0 ? 1 / 2 : 0, k > 1 ? k / 12 : 0, k > 3 ? 1 / 30 : 0];
}

/** 1ᵏ + 2ᵏ + … + tᵏ for t ≥ 1. */
function sumOfPowers(k: number, t: number): number {
  const [slope, level, inverse, cube] = totalOverLast(k);
  return t ** k * (slope * t + level + inverse / t - cube / t ** 3);
}

type Curve = 'slope' | 'level' | 'inverse';
type ScheduleFreeScalar =
  | 'beta1'
  | 'one_minus_beta1'
  | 'warmup_steps'
  | `warm_${Curve | 'cube'}`
  | `full_${Curve | 'square'}`;

function scheduleFreeScalars(
  { warmupSteps, r, weightLrPower }: Resolved,
  beta: number,
): Record<ScheduleFreeScalar, number> {
  const [warm_slope, warm_level, warm_inverse, warm_cube] = totalOverLast(r + weightLrPower);
  const [full_slope, level, inverse] = totalOverLast(r);
  // What the weights of the first steps are short of tʳ, all together.
  const missing =
    warmupSteps === 0
      ? 0
      : sumOfPowers(r, warmupSteps) -
        sumOfPowers(r + weightLrPower, warmupSteps) / warmupSteps ** weightLrPower;
  return {
    beta1: beta,
    one_minus_beta1: 1 - beta,
    warmup_steps: warmupSteps,
    warm_slope,
    warm_level,
    warm_inverse,
    warm_cube,
    full_slope,
    full_level: r === 0 ? -missing : level,
    full_inverse: r === 1 ? inverse - missing : inverse,
    full_square: r === 2 ? -missing : 0,
  };
}

interface Decaying {
  readonly weightDecay: number;
  readonly weightDecayMode: string;
}

/**
 * Averaging in place of a schedule, for a rule that calls `prepare_schedule_free` and `advance_average`. The weights to
 * evaluate with are x = y + (1 − 1/β)·`z_offset`.
 *
 * @param beta the option that the average divides by.
 */
export function scheduleFree<O>(beta: (o: O) => number) {
  return declarePart({
    wgsl,
    options: {
      warmupSteps: integer(0, 0, Infinity, [3]),
      r: integer(0, 0, 2, [1, 2]),
      weightLrPower: integer(2, 0, 2, [0, 1]),
    },
    slots: [{ name: 'z_offset' }],
    evaluation: { slot: 'z_offset', share: (o: O) => 1 - 1 / beta(o) },
    decaysWeight: (o: Decaying) => decaysAlone(o),
    switches: (o: Decaying) => ({ DECAY_ALONE: o.weightDecay > 0 && decaysAlone(o) }),
    scalars: (o: O & Resolved) => scheduleFreeScalars(o, beta(o)),
  });
}

/** Twin of `prepare_schedule_free`. */
export function prepareScheduleFree<N>(
  { scalar, add, sub, mul, div, where }: Arithmetic<N>,
  lr: N,
  h: Readonly<Record<ScheduleFreeScalar | 't', N>>,
): Record<'share' | 'kept' | 'y_size' | 'offset_size', N> {
  const inverse = div(scalar(1), h.t);
  const isFull = sub(h.t, h.warmup_steps);
  const size = where(isFull, lr, mul(lr, div(h.t, h.warmup_steps)));
  const full = add(
    add(mul(h.full_slope, h.t), h.full_level),
    mul(add(h.full_inverse, mul(h.full_square, inverse)), inverse),
  );
  const warm = add(
    add(mul(h.warm_slope, h.t), h.warm_level),
    mul(sub(h.warm_inverse, mul(h.warm_cube, mul(inverse, inverse))), inverse),
  );
  const share = div(scalar(1), where(isFull, full, warm));
  return {
    share,
    kept: sub(scalar(1), share),
    y_size: mul(size, add(h.one_minus_beta1, mul(h.beta1, share))),
    offset_size: mul(size, h.beta1),
  };
}

/** What `advance_average` sees of an element. */
interface AveragedElement<N> {
  readonly w: N;
  readonly s: { z_offset: N };
  readonly h: Readonly<Record<'decay' | 'share' | 'kept' | 'y_size' | 'offset_size', N>>;
  readonly on: Readonly<Record<'DECAY_ALONE', boolean>>;
}

/** Twin of `advance_average`. */
export function advanceAverage<N>(
  { add, sub, mul }: Arithmetic<N>,
  { w, s, h, on }: AveragedElement<N>,
  u: N,
): N {
  let y = w;
  if (on.DECAY_ALONE) {
    const lost = mul(h.decay, w);
    y = sub(w, lost);
    s.z_offset = add(s.z_offset, lost);
  }
  y = add(y, sub(mul(h.share, s.z_offset), mul(h.y_size, u)));
  s.z_offset = mul(h.kept, sub(s.z_offset, mul(h.offset_size, u)));
  return y;
}
