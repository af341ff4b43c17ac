import { shuffled } from '../random.js';

/** How contestants are measured. */
export interface InterleaveOptions {
  readonly rounds: number;
  /** A measurement takes as many steps as fill about this time. */
  readonly minMeasurementMs: number;
  readonly uniform: () => number;
  /** Called after each measurement, warm-up included. */
  readonly onProgress?: () => void;
}

/** Measurements of a contestant before the rounds that count: a cold one, and one that tells a step's time. */
export const WARMUP_MEASUREMENTS = 2;
const MAX_STEPS = 5000;

/**
 * Measures contestants round by round, in a new random order each, so that whatever else the machine does hits all
 * of them alike.
 *
 * @param measure milliseconds that so many steps of a contestant take, and whether the measurement counts or warms up.
 * @returns per contestant, milliseconds per step in each round.
 */
export async function interleave<T>(
  contestants: readonly T[],
  measure: (contestant: T, steps: number, counts: boolean) => Promise<number>,
  { rounds, minMeasurementMs, uniform, onProgress }: InterleaveOptions,
): Promise<Map<T, number[]>> {
  const stepsOf = new Map<T, number>();
  for (const contestant of contestants) {
    let stepMs = await measure(contestant, 1, false);
    onProgress?.();
    const few = Math.min(MAX_STEPS, Math.ceil((0.2 * minMeasurementMs) / stepMs));
    stepMs = Math.min(stepMs, (await measure(contestant, few, false)) / few);
    onProgress?.();
    stepsOf.set(contestant, Math.min(MAX_STEPS, Math.ceil(minMeasurementMs / stepMs)));
  }
  const times = new Map<T, number[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of shuffled(contestants, uniform)) {
      const steps = stepsOf.get(contestant)!;
      times.get(contestant)!.push((await measure(contestant, steps, true)) / steps);
      onProgress?.();
    }
  }
  return times;
}
