import type { RandomSource } from '../lab/random.js';
import { WARMUP_MEASUREMENTS, interleave } from '../lab/measuring/interleave.js';
import { CpuClock } from './cpu-clock.js';

/** How contestants of one heat are measured. */
export interface MeasureOptions<T> {
  /** Milliseconds that so many steps of a contestant take; `counts` is false while it warms up. */
  readonly measure: (contestant: T, steps: number, counts: boolean, clock: CpuClock<T>) => Promise<number>;
  /** CPU time used so far by whoever computes. */
  readonly readCpuMs: () => Promise<number>;
  readonly rounds: number;
  readonly minMeasurementMs: number;
  readonly uniform: RandomSource;
  /** Called with the share of the heat that is done since the last call. */
  readonly onProgress: (share: number) => void;
}

/** Milliseconds per step by contestant: on the clock in each round, and of CPU time in the mean. */
export interface Measured<T> {
  readonly times: ReadonlyMap<T, readonly number[]>;
  readonly cpuMs: ReadonlyMap<T, number>;
}

/** Measures the contestants of a heat, interleaved, by the clock and by CPU time. */
export async function measureContestants<T>(
  contestants: readonly T[],
  { measure, readCpuMs, rounds, minMeasurementMs, uniform, onProgress }: MeasureOptions<T>,
): Promise<Measured<T>> {
  const clock = new CpuClock<T>(readCpuMs);
  const measurements = contestants.length * (rounds + WARMUP_MEASUREMENTS);
  const times = await interleave(
    contestants,
    (contestant, steps, counts) => measure(contestant, steps, counts, clock),
    { rounds, minMeasurementMs, uniform, onProgress: () => onProgress(1 / measurements) },
  );
  return { times, cpuMs: clock.meansMs() };
}
