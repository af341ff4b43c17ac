import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven, tagOf } from '../../given.js';

/** What `step` and `encode` may be told of one step. */
export interface StepOptions {
  /**
   * Names of parameters that this step leaves as they are: weights, state, averages and their count of steps stay bit for
   * bit, and their gradients count neither in the norm nor in the search for NaN; as a parameter whose gradient is None in
   * PyTorch. Any iterable of names.
   */
  skip?: Iterable<string>;
}

const STEP_KEYS = ['skip'] satisfies (keyof StepOptions)[];
/** Names that an error lists. */
const LISTED_NAMES = 20;

/** Something per parameter, by the parameters' names. */
export class NameTable<T> extends Map<string, T> {
  /**
   * What is there under a name.
   *
   * @param call the call, for errors: `'readParam()'`.
   * @throws OptimizerError `invalid-parameter` if there is no such name, listing those that there are.
   */
  find(name: unknown, call: string): T {
    const found = this.get(name as string);
    if (found !== undefined) return found;
    const known = [...this.keys()].slice(0, LISTED_NAMES).map(quote).join(', ');
    const more = this.size > LISTED_NAMES ? ', …' : '';
    throw new OptimizerError(
      'invalid-parameter',
      `${call}: there is no parameter ${quote(name)}; there are ${known}${more}.`,
    );
  }

  /** @throws OptimizerError `invalid-parameter` if a name is there already, or twice among these. */
  rejectTaken(names: Iterable<string>): void {
    const seen = new Set<string>();
    for (const name of names) {
      if (this.has(name) || seen.has(name)) {
        throw new OptimizerError(
          'invalid-parameter',
          `two parameters are named ${quote(name)}; give each its own name.`,
        );
      }
      seen.add(name);
    }
  }
}

/**
 * Checks what one step is told.
 *
 * @param call the call, for errors: `'encode()'`.
 * @returns what the table has of the parameters to be left out; undefined if that is none.
 * @throws OptimizerError `invalid-config` unless these are step options, `invalid-parameter` if a name is unknown.
 */
export function resolveSkip<T>(
  options: unknown,
  table: NameTable<T>,
  call: string,
): ReadonlySet<T> | undefined {
  if (options === undefined) return undefined;
  if (!isRecord(options)) {
    const isList = Array.isArray(options) || tagOf(options) === '[object Set]';
    const remedy = isList ? 'names to be skipped are given as { skip: names }' : 'give { skip: names }';
    throw new OptimizerError('invalid-config', `${call}: the options are ${quote(options)}; ${remedy}.`);
  }
  const given = copyGiven(options, STEP_KEYS);
  rejectUnknownKeys(given, STEP_KEYS, call, 'invalid-config');
  const { skip } = given;
  if (skip === undefined) return undefined;
  const skipped = resolveNames(skip, table, call, 'skip is');
  return skipped.size > 0 ? skipped : undefined;
}

/**
 * What a table has under some names.
 *
 * @param names any iterable but a string.
 * @param call the call, for errors: `'freeze()'`.
 * @param what is given, for errors.
 * @throws OptimizerError `invalid-config` unless it is one, `invalid-parameter` if a name is unknown.
 */
export function resolveNames<T>(
  names: unknown,
  table: NameTable<T>,
  call: string,
  what = 'the names are',
): Set<T> {
  if (!isIterableOfNames(names)) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: ${what} ${quote(names)}; give a list of names, e.g. ['w'].`,
    );
  }
  const found = new Set<T>();
  for (const name of names) found.add(table.find(name, call));
  return found;
}

/** A string is an iterable of its letters, which nobody means. */
function isIterableOfNames(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function'
  );
}
