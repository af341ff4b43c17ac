import type { Call, Case } from './calls.js';
import type { Outcome } from './run-case.js';

/** Runs of one case until it is as short as it gets. */
const MOST_RUNS = 400;

/**
 * Takes calls out of a failing case, many at a time and then one by one, while it still fails.
 *
 * @param run runs some of the calls.
 * @returns the calls that are left, and how they fail.
 */
export async function shrink(
  { calls }: Case,
  run: (calls: readonly Call[]) => Promise<Outcome>,
): Promise<{ calls: readonly Call[]; failures: readonly string[] } | undefined> {
  let runsLeft = MOST_RUNS;
  const fails = async (some: readonly Call[]) => {
    if (runsLeft-- <= 0) return undefined;
    const { failures } = await run(some);
    return failures.length > 0 ? failures : undefined;
  };
  let failures = await fails(calls);
  // Some failures take a moment that does not come again.
  if (!failures) return undefined;
  let left = calls;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
    for (let first = 0; first < left.length;) {
      const fewer = [...left.slice(0, first), ...left.slice(first + size)];
      const still = await fails(fewer);
      if (still) [left, failures] = [fewer, still];
      else first += size;
    }
  }
  return { calls: left, failures };
}
