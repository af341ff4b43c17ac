/**
 * The rate on the way from `from` to `to` when `remaining` of the way, from 1 (or more) down to 0, is left. Both ends are met
 * exactly, and so is a way of no length; what lies between never leaves their range, so it is never negative.
 */
export function decayed(from: number, to: number, remaining: number): number {
  return remaining < 1 ? to + (from - to) * remaining : from;
}

/** What a half cosine leaves of 1 after a fraction of its way, which is in [0, 1] or, for a wave, any number. */
export function cosineRemaining(done: number): number {
  return (1 + Math.cos(Math.PI * done)) / 2;
}

/** Whether the step at a boundary already belongs to what follows (`'at'`), or only the one `'after'` it does. */
export type BoundaryRule = 'at' | 'after';

export const boundaryRules: readonly BoundaryRule[] = ['at', 'after'];

/** How many of some increasing boundaries lie behind step t. */
export function boundariesBehind(boundaries: readonly number[], t: number, rule: BoundaryRule): number {
  const ahead = boundaries.findIndex((boundary) => (rule === 'at' ? t < boundary : t <= boundary));
  return ahead < 0 ? boundaries.length : ahead;
}
