import { OptimizerError, isRecord, quote } from '../../../errors.js';
import { fitsFloat32 } from '../../../float32.js';
import { copyGiven } from '../../../given.js';
import { type OptionSpec, boolean, resolveOptions } from '../../../rules/options/options.js';

/** A loss scale that adapts itself, as `torch.amp.GradScaler`. */
export interface DynamicLossScale {
  /** The scale before the first step, > 0. Default 65536. */
  init?: number;
  /** Factor after `growthInterval` steps with finite gradients, > 1. Default 2. */
  growthFactor?: number;
  /** Factor after a step with a non-finite gradient, in (0, 1). Default 0.5. */
  backoffFactor?: number;
  /** Steps with finite gradients between growths, an integer from 1 to 2³² − 1. Default 2000. */
  growthInterval?: number;
}

/** What is done to gradients before the rule sees them, and when a step is skipped. */
export interface GradientOptions {
  /**
   * Largest global L2 norm of the unscaled gradients, > 0: if it is exceeded, all are multiplied by
   * max / (norm + 1e-6), as `torch.nn.utils.clip_grad_norm_`. Default Infinity: no clipping.
   */
  maxGradNorm?: number;
  /**
   * Largest L2 norm of each parameter's unscaled gradient by itself, > 0: one with a larger norm is multiplied by max / norm, as
   * `tf.clip_by_norm` and Keras' `clipnorm`. Of a sparse gradient the sums of its rows count, and of masked rows none. Where the
   * norm is infinite, or more than 8e37 times the limit, the gradient becomes 0 and its infinite elements NaN; a NaN makes all
   * NaN. Elements are clamped behind it (`maxGradValue`). Not together with `maxGradNorm`, as in Keras. It takes a copy of the
   * gradients on the GPU. Default Infinity: no clipping.
   */
  maxGradNormPerTensor?: number;
  /**
   * Largest unscaled gradient element; applied after the norm. Without `minGradValue` the largest magnitude, > 0, as
   * `torch.nn.utils.clip_grad_value_` and Keras' `clipvalue`. Infinite ones are clamped, NaN stays. Default Infinity: no limit.
   */
  maxGradValue?: number;
  /** Least unscaled gradient element, below `maxGradValue`, as `tf.clip_by_value`; −Infinity for no limit. Default −`maxGradValue`. */
  minGradValue?: number;
  /**
   * Have `stats().gradNorm` without clipping: the global L2 norm of the unscaled gradients, at the cost of reading them once
   * more. Default false; clipping by the global norm and skipping find it in any case.
   */
  measureGradNorm?: boolean;
  /** Skip a step, count and all, if any gradient is NaN or infinite. Default false; a dynamic loss scale implies it. */
  skipNonFinite?: boolean;
  /** Steps skipped in a row after which a non-finite one is made all the same, as optax's `apply_if_finite`. Default Infinity. */
  maxConsecutiveSkips?: number;
  /** Factor on all gradients, > 0, e.g. 1/K after accumulating over K micro-batches. Default 1. */
  gradScale?: number;
  /**
   * What the caller's backward pass multiplied its loss with; gradients are divided by it. A number > 0 (default
   * 1), `'dynamic'`, or the dynamic one's settings. `optimizer.lossScaleBuffer` holds its present value. A dynamic one
   * backs off to 2⁻²⁴ at most, below which a loss is 0 in float16; one that starts below stays where it is. It grows to
   * 2¹²⁶ at most, the largest that float32 can hold the reciprocal of.
   */
  lossScale?: number | 'dynamic' | DynamicLossScale;
}

/** Checked options, with defaults. */
export interface ResolvedGradientOptions {
  readonly maxGradNorm: number;
  readonly maxGradNormPerTensor: number;
  readonly maxGradValue: number;
  readonly minGradValue: number;
  readonly measureGradNorm: boolean;
  readonly skipNonFinite: boolean;
  readonly maxConsecutiveSkips: number;
  readonly gradScale: number;
  readonly lossScale: number;
  readonly dynamic: Readonly<Required<DynamicLossScale>> | undefined;
}

/** What a dynamic loss scale grows to at most, as in `decide.wgsl`: GPUs may take the reciprocal of a larger one for 0. */
export const LARGEST_LOSS_SCALE = 2 ** 126;

/** Counts are u32 on the GPU. */
const MAX_COUNT = 2 ** 32 - 1;

function positive(
  defaultValue: number,
  range: string,
  accepts: (value: number) => boolean,
): OptionSpec<number> {
  return {
    default: defaultValue,
    range,
    accepts: (value) => typeof value === 'number' && value > 0 && accepts(value),
    samples: [],
  };
}

const upToInfinity = (): OptionSpec<number> =>
  positive(
    Infinity,
    'a number > 0 that float32 can hold, or Infinity for no limit',
    (value) => value === Infinity || fitsFloat32(value),
  );

/** One end of a range, or none. */
const bound = (none: number): OptionSpec<number> => ({
  default: none,
  range: `a number that float32 can hold, or ${none} for no limit`,
  accepts: (value) => value === none || (typeof value === 'number' && fitsFloat32(value)),
  samples: [],
});

const scale = (defaultValue: number): OptionSpec<number> =>
  positive(defaultValue, 'a finite number > 0 that float32 can hold', fitsFloat32);

const isCount = (value: number): boolean => Number.isInteger(value) && value <= MAX_COUNT;

const DYNAMIC_SPECS = {
  init: scale(65_536),
  growthFactor: positive(
    2,
    'a finite number > 1, in float32, too',
    (value) => fitsFloat32(value) && Math.fround(value) > 1,
  ),
  backoffFactor: positive(
    0.5,
    'a number in (0, 1), in float32, too',
    (value) => fitsFloat32(value) && Math.fround(value) < 1,
  ),
  growthInterval: positive(2000, `an integer from 1 to ${MAX_COUNT}`, isCount),
};

const SPECS = {
  maxGradNorm: upToInfinity(),
  maxGradNormPerTensor: upToInfinity(),
  maxGradValue: upToInfinity(),
  minGradValue: bound(-Infinity),
  measureGradNorm: boolean(false),
  skipNonFinite: boolean(false),
  maxConsecutiveSkips: positive(
    Infinity,
    `an integer from 1 to ${MAX_COUNT}, or Infinity`,
    (value) => value === Infinity || isCount(value),
  ),
  gradScale: scale(1),
};

/** Names of the options, for the list of those known. */
export const GRADIENT_OPTION_NAMES: readonly string[] = [...Object.keys(SPECS), 'lossScale'];

/**
 * @param lossScale the loss scale that gradients are divided by; of a dynamic one, the GPU knows it.
 * @throws OptimizerError `invalid-option` unless `gradScale` is a finite number > 0, and the quotient fits float32.
 */
export function checkGradScale(gradScale: unknown, lossScale = 1): number {
  const checked = resolveOptions('gradients', { gradScale: SPECS.gradScale }, { gradScale }).gradScale;
  rejectQuotient(checked, lossScale);
  return checked;
}

/** Gradients are multiplied by the quotient, as one float32. */
function rejectQuotient(gradScale: number, lossScale: number): void {
  if (fitsFloat32(gradScale / lossScale)) return;
  throw new OptimizerError(
    'invalid-option',
    `gradScale is ${gradScale} and lossScale ${lossScale}: gradients are multiplied by their quotient, ` +
      `${gradScale / lossScale}, which float32 cannot hold; give numbers that are nearer to each other.`,
  );
}

/**
 * Checks the gradient options in a config; other keys are ignored.
 *
 * @throws OptimizerError `invalid-option` quoting the value and the range.
 */
export function resolveGradientOptions(config: GradientOptions): ResolvedGradientOptions {
  const options: Record<string, unknown> = {};
  for (const name of Object.keys(SPECS)) options[name] = (config as Record<string, unknown>)[name];
  const { lossScale = 1, minGradValue } = config;
  const specs = minGradValue === undefined ? SPECS : { ...SPECS, maxGradValue: bound(Infinity) };
  const given = resolveOptions('config', specs, options);
  const resolved = minGradValue === undefined ? { ...given, minGradValue: -given.maxGradValue } : given;
  rejectNoRange(resolved);
  rejectBothNorms(resolved);
  if (lossScale === 'dynamic' || isRecord(lossScale)) {
    const settings = lossScale === 'dynamic' ? {} : copyGiven(lossScale, Object.keys(DYNAMIC_SPECS));
    const dynamic = resolveOptions('lossScale', DYNAMIC_SPECS, settings);
    rejectQuotient(resolved.gradScale, dynamic.init);
    return Object.freeze({ ...resolved, skipNonFinite: true, lossScale: dynamic.init, dynamic });
  }
  if (typeof lossScale !== 'number' || !DYNAMIC_SPECS.init.accepts(lossScale)) {
    throw new OptimizerError(
      'invalid-option',
      `config: lossScale is ${quote(lossScale)}; give a finite number > 0 that float32 can hold, 'dynamic', or its ` +
        'settings.',
    );
  }
  rejectQuotient(resolved.gradScale, lossScale);
  return Object.freeze({ ...resolved, lossScale, dynamic: undefined });
}

/** Which of the two were to come first is not said. */
function rejectBothNorms({
  maxGradNorm,
  maxGradNormPerTensor,
}: Pick<ResolvedGradientOptions, 'maxGradNorm' | 'maxGradNormPerTensor'>): void {
  if (maxGradNorm === Infinity || maxGradNormPerTensor === Infinity) return;
  throw new OptimizerError(
    'invalid-config',
    `config: maxGradNorm is ${maxGradNorm} and maxGradNormPerTensor ${maxGradNormPerTensor}; give one of them: the norm of all ` +
      'gradients is limited, or that of each.',
  );
}

/** Elements could not be above one bound and below the other. */
function rejectNoRange({
  minGradValue,
  maxGradValue,
}: Pick<ResolvedGradientOptions, 'minGradValue' | 'maxGradValue'>): void {
  if (Math.fround(minGradValue) < Math.fround(maxGradValue)) return;
  throw new OptimizerError(
    'invalid-option',
    `config: minGradValue is ${minGradValue} and maxGradValue ${maxGradValue}; ` +
      'give a minGradValue below maxGradValue, in float32, too.',
  );
}

/** Whether gradients are clamped by value. */
export function isClamping({ minGradValue, maxGradValue }: ResolvedGradientOptions): boolean {
  return minGradValue > -Infinity || maxGradValue < Infinity;
}

/** Whether a step must look at all gradients first. */
export function needsControlPass({
  maxGradNorm,
  measureGradNorm,
  skipNonFinite,
}: ResolvedGradientOptions): boolean {
  return maxGradNorm < Infinity || measureGradNorm || skipNonFinite;
}
