import type { UsageGuard } from './usage-guard.js';

/** What became of a step. */
export interface StepStats {
  /** Steps applied so far. */
  readonly step: number;
  /** Steps skipped so far because a gradient was not finite. */
  readonly skipped: number;
  /**
   * Global L2 norm of the unscaled gradients of the last step, before clipping; Infinity or NaN if one of them was.
   * NaN if neither `maxGradNorm` nor `skipNonFinite` nor a dynamic loss scale asks for it: it costs a pass.
   */
  readonly gradNorm: number;
  /** What the gradients were multiplied by to keep `maxGradNorm`; 1 if they were not clipped. */
  readonly clipFactor: number;
  /** The loss scale that the next backward pass should use. */
  readonly lossScale: number;
  /** The learning rate of the last step asked for; of the first group. */
  readonly lr: number;
}

/** Reads the stats for a callback; what ends the optimizer meanwhile is no error. */
export async function reportStep(
  onStep: (stats: StepStats) => void,
  read: () => Promise<StepStats>,
  guard: UsageGuard,
): Promise<void> {
  let stats: StepStats;
  try {
    stats = await read();
  } catch (error) {
    // Destroyed or lost while the read was under way: whoever did that knows.
    if (guard.isOver) return;
    throw error;
  }
  onStep(stats);
}
