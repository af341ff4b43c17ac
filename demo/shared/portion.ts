/** Work is submitted in portions of about this length: short for the buttons, long for the GPU's queue. */
const PORTION_MS = 100;

/**
 * How much to submit next, after so much in so many milliseconds. Firefox looks for finished work every 100 ms only, so a portion
 * that seems to take a little longer than it should is no reason for a smaller one.
 */
export function nextPortion(count: number, ms: number): number {
  if (ms < 1.2 * PORTION_MS) return Math.ceil(count * 1.5);
  return ms > 2 * PORTION_MS ? Math.max(1, Math.floor((count * PORTION_MS) / ms)) : count;
}
