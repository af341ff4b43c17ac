import { OptimizerError, quote } from '../errors.js';
import { type OptionSpec, number } from '../rules/options/options.js';

// None of these specs has `samples`: no matrix of tests and no menu is made from the options of schedules.

/** Options `O` with all defaults filled in. */
export type Resolved<O> = { [K in keyof O]-?: O[K] };

/** An option without a default: leaving it out is reported like a value out of range. */
export function required<T>(spec: OptionSpec<T>): OptionSpec<T> {
  return { ...spec, default: undefined as T };
}

/** An option that may be left out, and then is `undefined`. */
export function optional<T>(spec: OptionSpec<T>): OptionSpec<T | undefined> {
  return {
    ...spec,
    default: undefined,
    accepts: (value) => value === undefined || spec.accepts(value),
  };
}

/** The learning rate that most schedules start from. */
export const baseRate = required(number(0, 0));

/** A whole number ≥ `min`. */
export function integer(defaultValue: number, min: number): OptionSpec<number> {
  return {
    default: defaultValue,
    range: `an integer ≥ ${min}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= min,
    samples: [],
  };
}

/** How many steps (or epochs) something takes, without a default. */
export const count = required(integer(1, 1));

/** A finite number above 0. */
export function positive(defaultValue: number): OptionSpec<number> {
  return {
    default: defaultValue,
    range: 'a finite number > 0',
    accepts: (value) => number(0, 0).accepts(value) && value !== 0,
    samples: [],
  };
}

/** A part of a whole: a number from 0 to 1, both included. */
export function fraction(defaultValue: number): OptionSpec<number> {
  return {
    default: defaultValue,
    range: 'a number in [0, 1]',
    accepts: (value) => number(0, 0).accepts(value) && (value as number) <= 1,
    samples: [],
  };
}

/** Steps in strictly increasing order, each ≥ `min`. */
export function increasing(min: number): OptionSpec<readonly number[]> {
  const { accepts } = integer(min, min);
  return required({
    default: [],
    range: `an array of strictly increasing integers ≥ ${min}`,
    // `Array.from`, as `every` would pass over holes.
    accepts: (value) =>
      Array.isArray(value) &&
      Array.from(value as unknown[]).every(
        (item, i, all) => accepts(item) && (i === 0 || (item as number) > (all[i - 1] as number)),
      ),
    samples: [],
  });
}

/** Learning rates, or factors of them. */
export function rates(): OptionSpec<readonly number[]> {
  const { accepts, range } = number(0, 0);
  return required({
    default: [],
    range: `an array, each item ${range}`,
    accepts: (value) => Array.isArray(value) && Array.from(value as unknown[]).every(accepts),
    samples: [],
  });
}

/** Refuses an end of a ramp that is given both as a factor and as a rate. */
export function rejectGivenTwice(
  schedule: string,
  side: 'start' | 'end',
  given: { readonly factor: number | undefined; readonly lr: number | undefined },
): void {
  if (given.factor === undefined || given.lr === undefined) return;
  throw invalid(
    schedule,
    `${side}Factor is ${quote(given.factor)} and ${side}Lr is ${quote(given.lr)}; give one of the two.`,
  );
}

/** The error of a schedule whose options are each in range, but do not go together. */
export function invalid(schedule: string, message: string): OptimizerError {
  return new OptimizerError('invalid-option', `${schedule}: ${message}`);
}
