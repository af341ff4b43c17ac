import { OptimizerError, quote } from '../../errors.js';
import { type OptionSpec, boolean, resolveOptions } from '../../rules/options.js';

/** A loss scale that adapts itself, as `torch.amp.GradScaler`. */
export interface DynamicLossScale {
  /** The scale before the first step, > 0. Default 65536. */
  init?: number;
  /** Factor after `growthInterval` steps with finite gradients, > 1. Default 2. */
  growthFactor?: number;
  /** Factor after a step with a non-finite gradient, in (0, 1). Default 0.5. */
  backoffFactor?: number;
  /** Steps with finite gradients between growths, an integer ≥ 1. Default 2000. */
  growthInterval?: number;
}

/** What is done to gradients before the rule sees them, and when a step is skipped. */
export interface GradientOptions {
  /**
   * Largest global L2 norm of the unscaled gradients, > 0: if it is exceeded, all are multiplied by
   * max / (norm + 1e-6), as `torch.nn.utils.clip_grad_norm_`. Default Infinity: no clipping.
   */
  maxGradNorm?: number;
  /** Largest magnitude of an unscaled gradient element, > 0; applied after the norm. Default Infinity. */
  maxGradValue?: number;
  /** Skip a step, count and all, if any gradient is NaN or infinite. Default false; a dynamic loss scale implies it. */
  skipNonFinite?: boolean;
  /** Steps skipped in a row after which a non-finite one is made all the same, as optax's `apply_if_finite`. Default Infinity. */
  maxConsecutiveSkips?: number;
  /** Factor on all gradients, > 0, e.g. 1/K after accumulating over K micro-batches. Default 1. */
  gradScale?: number;
  /**
   * What the caller's backward pass multiplied its loss with; gradients are divided by it. A number > 0 (default
   * 1), `'dynamic'`, or the dynamic one's settings. `optimizer.lossScaleBuffer` holds its present value.
   */
  lossScale?: number | 'dynamic' | DynamicLossScale;
}

/** Checked options, with defaults. */
export interface ResolvedGradientOptions {
  readonly maxGradNorm: number;
  readonly maxGradValue: number;
  readonly skipNonFinite: boolean;
  readonly maxConsecutiveSkips: number;
  readonly gradScale: number;
  readonly lossScale: number;
  readonly dynamic: Readonly<Required<DynamicLossScale>> | undefined;
}

const isPositive = (value: unknown): value is number => typeof value === 'number' && value > 0;

function positive(
  defaultValue: number,
  range: string,
  accepts: (value: number) => boolean,
): OptionSpec<number> {
  return {
    default: defaultValue,
    range,
    accepts: (value) => isPositive(value) && accepts(value),
    samples: [],
  };
}

const upToInfinity = (): OptionSpec<number> =>
  positive(Infinity, 'a number > 0, or Infinity for no limit', () => true);

const isIntegerOrInfinity = (value: number): boolean => value === Infinity || Number.isInteger(value);

const DYNAMIC_SPECS = {
  init: positive(65_536, 'a finite number > 0', Number.isFinite),
  growthFactor: positive(2, 'a finite number > 1', (value) => Number.isFinite(value) && value > 1),
  backoffFactor: positive(0.5, 'a number in (0, 1)', (value) => value < 1),
  growthInterval: positive(2000, 'an integer ≥ 1', Number.isInteger),
};

const SPECS = {
  maxGradNorm: upToInfinity(),
  maxGradValue: upToInfinity(),
  skipNonFinite: boolean(false),
  maxConsecutiveSkips: positive(Infinity, 'an integer ≥ 1, or Infinity', isIntegerOrInfinity),
  gradScale: positive(1, 'a finite number > 0', Number.isFinite),
};

/** Names of the options, for the list of those known. */
export const GRADIENT_OPTION_NAMES: readonly string[] = [...Object.keys(SPECS), 'lossScale'];

/** @throws OptimizerError `invalid-option` unless `gradScale` is a finite number > 0. */
export function checkGradScale(gradScale: unknown): number {
  return resolveOptions('gradients', { gradScale: SPECS.gradScale }, { gradScale }).gradScale;
}

/**
 * Checks the gradient options in a config; other keys are ignored.
 *
 * @throws OptimizerError `invalid-option` quoting the value and the range.
 */
export function resolveGradientOptions(config: GradientOptions): ResolvedGradientOptions {
  const given = Object.fromEntries(Object.entries(config).filter(([key]) => key in SPECS));
  const resolved = resolveOptions('config', SPECS, given);
  const { lossScale = 1 } = config;
  if (typeof lossScale === 'object' && lossScale !== null) {
    const dynamic = resolveOptions('lossScale', DYNAMIC_SPECS, lossScale);
    return { ...resolved, skipNonFinite: true, lossScale: dynamic.init, dynamic };
  }
  if (lossScale === 'dynamic') return resolveGradientOptions({ ...config, lossScale: {} });
  if (!isPositive(lossScale) || lossScale === Infinity) {
    throw new OptimizerError(
      'invalid-option',
      `config: lossScale is ${quote(lossScale)}; give a finite number > 0, 'dynamic', or its settings.`,
    );
  }
  return { ...resolved, lossScale, dynamic: undefined };
}

/** Whether a step must look at all gradients first. */
export function needsControlPass({ maxGradNorm, skipNonFinite }: ResolvedGradientOptions): boolean {
  return maxGradNorm < Infinity || skipNonFinite;
}
