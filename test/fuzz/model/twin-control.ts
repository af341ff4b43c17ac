import type { ResolvedGradientOptions } from '../../../src/engine/input/options/gradient-options.js';
import { GradientControl } from '../../../src/reference/gradient-control.js';

const { fround } = Math;

/** The model of what the GPU decides about a step, with its norm and its factor in float32. */
export class ControlTwin {
  /** Steps applied. */
  step = 0;
  readonly decisions: GradientControl;

  constructor(private readonly options: ResolvedGradientOptions) {
    this.decisions = new GradientControl(options, fround);
  }

  /**
   * Decides one step.
   *
   * @returns the factor on every gradient, or undefined if the step is skipped.
   */
  decide(gradients: readonly ArrayLike<number>[], gradScale: number): number | undefined {
    const unscale = fround(fround(gradScale) / this.decisions.lossScale);
    const multiplier = this.decisions.decide(gradients, gradScale);
    if (multiplier === undefined) return undefined;
    this.step++;
    const { maxGradNorm } = this.options;
    if (maxGradNorm === Infinity) return unscale;
    if (!Number.isFinite(this.decisions.gradNorm)) return multiplier;
    // Cases that clip have gradients whose squares' sum is exact, so that these roundings are all.
    let squares = 0;
    for (const values of gradients) for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
    const norm = fround(fround(Math.sqrt(squares)) * unscale);
    const factor = Math.min(1, fround(fround(maxGradNorm) / fround(norm + fround(1e-6))));
    return fround(unscale * factor);
  }
}
