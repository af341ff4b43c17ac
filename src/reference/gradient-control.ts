import type { ResolvedGradientOptions } from '../engine/input/gradient-options.js';

/** What the control pass decides, on the CPU and in float64: the reference of `shaders/control/finalize.wgsl`. */
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

  constructor(readonly options: ResolvedGradientOptions) {
    this.lossScale = options.lossScale;
  }

  /**
   * Looks at all gradients of a step.
   *
   * @returns the factor on every gradient, or undefined if the step is to be skipped.
   */
  decide(gradients: readonly ArrayLike<number>[], gradScale: number): number | undefined {
    const { maxGradNorm, skipNonFinite, maxConsecutiveSkips, dynamic } = this.options;
    const unscale = gradScale / this.lossScale;
    this.gradNorm = Math.abs(unscale) * Math.hypot(...gradients.map(norm));
    this.clipFactor = Math.min(1, maxGradNorm / (this.gradNorm + 1e-6));
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

  #adjustLossScale(isFinite: boolean): void {
    const { growthFactor, backoffFactor, growthInterval } = this.options.dynamic!;
    this.#growthTracker = isFinite ? this.#growthTracker + 1 : 0;
    if (!isFinite) this.lossScale *= backoffFactor;
    if (this.#growthTracker < growthInterval) return;
    this.#growthTracker = 0;
    if (this.lossScale <= 2 ** 127 / growthFactor) this.lossScale *= growthFactor;
  }
}

/** The L2 norm; float64 holds the square of every float32. */
function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}
