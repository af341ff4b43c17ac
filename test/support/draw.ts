/** What of too many cases a run takes: the seed draws them, so that runs take turns; with `TEST_ALL=1` a run takes all. */
import { inject } from 'vitest';

/** Whether all cases are wanted. */
export const takesAll: boolean = inject('all');

/** How many runs share what one run would draw: all cases take so many seeds more, and a run of everything that much less time. */
const RUNS_THAT_SHARE = inject('takesTurns') ? 2 : 1;

/** Whether it is the turn of the case with this index, if one of `share` cases is taken. */
export function isTurn(index: number, share: number): boolean {
  return takesAll || index % share === inject('seed') % share;
}

/** Of a list, one of `share` items by the seed, or fewer in a run of everything; at least one of them. */
export function drawn<T>(items: readonly T[], share: number): T[] {
  const spread = Math.min(share * RUNS_THAT_SHARE, items.length);
  return items.filter((_, index) => isTurn(index, spread));
}
