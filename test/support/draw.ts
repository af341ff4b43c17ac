/** What of too many cases a run takes: the seed draws them, so that runs take turns; with `TEST_ALL=1` a run takes all. */
import { inject } from 'vitest';

/** Whether all cases are wanted. */
export const takesAll: boolean = inject('all');

/** Whether it is the turn of the case with this index, if one of `share` cases is taken. */
export function isTurn(index: number, share: number): boolean {
  return takesAll || index % share === inject('seed') % share;
}

/** Of a list, one of `share` items by the seed. */
export function drawn<T>(items: readonly T[], share: number): T[] {
  return items.filter((_, index) => isTurn(index, share));
}
