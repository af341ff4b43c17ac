import type { UsageGuard } from './guard.js';

/** What became of a step. */
export interface StepStats {
  /** Steps applied so far. */
  readonly step: number;
  /** Steps skipped so far because a gradient was not finite. */
  readonly skipped: number;
  /**
   * Global L2 norm of the unscaled gradients of the last step, before clipping; Infinity or NaN if one of them was.
   * Parameters that the step left out do not count. NaN if neither `measureGradNorm` nor `maxGradNorm` nor `skipNonFinite` nor a
   * dynamic loss scale asks for it: it costs a pass.
   */
  readonly gradNorm: number;
  /** What the gradients were multiplied by to keep `maxGradNorm`; 1 if they were not clipped. */
  readonly clipFactor: number;
  /** The loss scale that the next backward pass should use. */
  readonly lossScale: number;
  /** The learning rate of the last step asked for; of the first group. */
  readonly lr: number;
  /**
   * Weights of `'f16'` that became ±Infinity so far though what was computed is finite, 65520 or more; with `masterWeights`, each time that the copy
   * becomes it. Since the optimizer was made: state dicts do not have it. Absent without such weights, and where a rule of theirs keeps more
   * numbers per weight than leave a storage buffer of the device free to count in: four of 8.
   */
  overflows?: number;
  /** Entries of the maps that `mapRows` was given on the GPU that named no row; absent before there was such a map. */
  strayRows?: number;
}

/**
 * Calls back once the stats are known. Nobody waits for this, so what the callback throws is reported as an event
 * listener's error is, and what ends the optimizer meanwhile is no error.
 *
 * @param done is told before the callback that its turn has come.
 */
export async function reportStep(
  onStep: (stats: StepStats) => void,
  stats: Promise<StepStats>,
  guard: UsageGuard,
  done: () => void,
): Promise<void> {
  try {
    let known: StepStats;
    try {
      known = await stats;
    } finally {
      done();
    }
    onStep(known);
  } catch (error) {
    // Destroyed, lost or rejected while the read was under way: the next call tells.
    if (!guard.isOver) reportListenerError(error);
  }
}

/** As the host reports what an event listener throws; Node has no such function, and would end at an unhandled rejection. */
function reportListenerError(error: unknown): void {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}
