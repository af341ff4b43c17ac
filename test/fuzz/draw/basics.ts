import fc from 'fast-check';
import { RATES, SCHEDULES, SCHEDULE_RATE, type RatePlan } from '../case/plans.js';

/** Plain objects. */
export const record = <T extends object>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(parts, { noNullPrototype: true }) as fc.Arbitrary<object> as fc.Arbitrary<T>;

/** True in so many of a hundred draws; false is simpler. */
export const chance = (percent: number): fc.Arbitrary<boolean> =>
  simplest(false, fc.constant(true), 100 - percent, percent);

/**
 * A value, which shrinks to the simplest one at once and to nothing between: who looks for the fewest calls has no time for halving
 * numbers.
 *
 * @param simplestWeight how often it is the simplest one, in proportion.
 */
export const simplest = <T>(
  value: T,
  others: fc.Arbitrary<T>,
  simplestWeight = 1,
  otherWeight = 1000,
): fc.Arbitrary<T> =>
  fc.oneof(
    { withCrossShrink: true },
    { arbitrary: fc.constant(value), weight: simplestWeight },
    { arbitrary: fc.noShrink(others), weight: otherWeight },
  );

/** What the rest of a call or a plan is drawn from. */
export const seeds: fc.Arbitrary<number> = simplest(0, fc.nat(2 ** 31 - 1));

/** Bits that choose some of a list. */
export const masks = (bits: number): fc.Arbitrary<number> =>
  simplest(1, fc.integer({ min: 1, max: 2 ** bits - 1 }));

/** One of a list, in so many of a hundred draws, or else nothing. */
export const perhaps = <T>(percent: number, values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  simplest<T | undefined>(undefined, values, 100 - percent, percent);

export const rates: fc.Arbitrary<RatePlan> = fc.oneof(
  { withCrossShrink: true },
  { arbitrary: fc.constantFrom<RatePlan[]>(...RATES), weight: 3 },
  {
    arbitrary: record({
      kind: fc.constantFrom(...SCHEDULES),
      lr: fc.constantFrom(...RATES.map((lr) => lr + SCHEDULE_RATE)),
    }),
    weight: 1,
  },
);
