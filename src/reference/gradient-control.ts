import type { SavedControl } from '../engine/saved/state-dict.js';
import {
  LARGEST_LOSS_SCALE,
  type ResolvedGradientOptions,
} from '../engine/input/options/gradient-options.js';

/** Below this a loss would be 0 in float16, so that backing off ends here: the constant of `decide.wgsl`. */
const LOSS_SCALE_FLOOR = 2 ** -24;

/** What the control pass decides, on the CPU: the reference of `shaders/stages/control/decide.wgsl`. */
export class GradientControl {
  /** Steps skipped so far. */
  skipped = 0;
  /** The loss scale that the next backward pass should use. */
  lossScale: number;
  /** Norm of the unscaled gradients of the last step, before clipping. */
  gradNorm = NaN;
  /** What the last step's gradients were multiplied by to keep `maxGradNorm`. */
  clipFactor = 1;
  #consecutiveSkips = 0;
  #growthTracker = 0;

  /** @param round rounds a float64 result to the precision in which scales are kept. */
  constructor(
    readonly options: ResolvedGradientOptions,
    private readonly round: (value: number) => number,
  ) {
    this.lossScale = round(options.lossScale);
  }

  /**
   * Looks at the gradients of all parameters that a step is to change.
   *
   * @returns the factor on every gradient, or undefined if the step is to be skipped.
   */
  decide(gradients: readonly ArrayLike<number>[], gradScale: number): number | undefined {
    const { maxGradNorm, skipNonFinite, maxConsecutiveSkips, dynamic } = this.options;
    const unscale = this.round(this.round(gradScale) / this.lossScale);
    this.gradNorm = unscale * normOf(gradients.map(norm));
    // Without a limit nothing is clipped, not even where ∞/∞ would say so.
    this.clipFactor = maxGradNorm < Infinity ? Math.min(1, maxGradNorm / (this.gradNorm + 1e-6)) : 1;
    const isFinite = Number.isFinite(this.gradNorm);
    if (dynamic) this.#adjustLossScale(isFinite);
    if (skipNonFinite && !isFinite && this.#consecutiveSkips < maxConsecutiveSkips) {
      this.skipped++;
      this.#consecutiveSkips++;
      return undefined;
    }
    if (isFinite) this.#consecutiveSkips = 0;
    return maxGradNorm < Infinity ? unscale * this.clipFactor : unscale;
  }

  /** What a resumed run needs. */
  save(): SavedControl {
    const { skipped, lossScale } = this;
    return {
      skipped,
      consecutiveSkips: this.#consecutiveSkips,
      growthTracker: this.#growthTracker,
      lossScale,
    };
  }

  /** @returns puts back what there is now. */
  remember(): () => void {
    const saved = this.save();
    const { gradNorm, clipFactor } = this;
    return () => {
      this.restore(saved);
      this.gradNorm = gradNorm;
      this.clipFactor = clipFactor;
    };
  }

  /** Goes on from what {@link save} gave, or from the start. */
  restore(saved: SavedControl | undefined): void {
    this.skipped = saved?.skipped ?? 0;
    this.#consecutiveSkips = saved?.consecutiveSkips ?? 0;
    this.#growthTracker = saved?.growthTracker ?? 0;
    this.lossScale = this.round(saved?.lossScale ?? this.options.lossScale);
  }

  #adjustLossScale(isFinite: boolean): void {
    const { growthFactor, backoffFactor, growthInterval } = this.options.dynamic!;
    const { round } = this;
    this.#growthTracker = isFinite ? this.#growthTracker + 1 : 0;
    if (!isFinite) {
      // A scale that began below the floor stays where it is.
      const floor = Math.min(this.lossScale, LOSS_SCALE_FLOOR);
      this.lossScale = Math.max(round(this.lossScale * round(backoffFactor)), floor);
    }
    if (this.#growthTracker < growthInterval) return;
    this.#growthTracker = 0;
    const factor = round(growthFactor);
    if (this.lossScale <= round(LARGEST_LOSS_SCALE / factor)) this.lossScale = round(this.lossScale * factor);
  }
}

/** The L2 norm; float64 holds the square of every float32. */
function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}

/** The norm of several tensors by theirs. `Math.hypot` of an infinity and a NaN is an infinity. */
const normOf = (norms: readonly number[]): number => (norms.some(Number.isNaN) ? NaN : Math.hypot(...norms));
