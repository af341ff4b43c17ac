const TUNING_ROUNDS = 5;
/** Steps per tuning measurement are chosen so that it lasts about this long. */
const TUNING_MS = 20;
/** No round begins after this: where steps take seconds, as 1e8 elements on a CPU adapter, one round must do. */
const MOST_MS = 3000;
/** Who is slower than the fastest by this much is not measured again: no noise, nor a cold start, makes up for it. */
const HOPELESS = 3;

/**
 * The index of the fastest of some ways to submit the same work, by the least of a few interleaved measurements.
 *
 * @param submits each submits one step to `device`.
 */
export async function findFastest(device: GPUDevice, submits: readonly (() => void)[]): Promise<number> {
  const measure = async (submit: () => void, steps: number): Promise<number> => {
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) submit();
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / steps;
  };
  const start = performance.now();
  // Whoever comes first touches the memory for the first time.
  await measure(submits[0]!, 1);
  const minima = submits.map(() => Infinity);
  for (let round = 0; round <= TUNING_ROUNDS; round += 1) {
    if (round > 0 && performance.now() - start > MOST_MS) break;
    const hopelessMs = HOPELESS * Math.min(...minima);
    for (const [k, submit] of submits.entries()) {
      if (minima[k]! > hopelessMs) continue;
      // The first round only warms up and tells how long a step takes.
      const steps = round === 0 ? 1 : Math.ceil(TUNING_MS / minima[k]!);
      const stepMs = await measure(submit, steps);
      minima[k] = round <= 1 ? stepMs : Math.min(minima[k]!, stepMs);
    }
  }
  return minima.indexOf(Math.min(...minima));
}
