import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven, tagOf } from '../../given.js';

/** Which parameters a step leaves out. */
export interface SkipOptions {
  /**
   * Names of parameters that this step leaves as they are: weights, state, averages and their count of steps stay bit for
   * bit, and their gradients count neither in the norm nor in the search for NaN; as a parameter whose gradient is None in
   * PyTorch. Any iterable of names.
   */
  skip?: Iterable<string>;
}

/** What `step` and `encode` may be told of one step. */
export interface StepOptions extends SkipOptions {
  /**
   * Where the time at the beginning and at the end of the step's compute pass is written to, as WebGPU takes it; for devices
   * with the feature 'timestamp-query'. Not for a step that is encoded into a pass of the caller's.
   */
  timestampWrites?: GPUComputePassTimestampWrites;
}

const STEP_KEYS = ['skip', 'timestampWrites'] satisfies (keyof StepOptions)[];
const NOTHING_TOLD = { skipped: undefined, timestampWrites: undefined };
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
          `two parameters are named ${quote(name)}; give each its own name, or addGroup() the name alone, for one that is to move.`,
        );
      }
      seen.add(name);
    }
  }
}

/** What one step is told, checked. */
export interface ResolvedStep<T> {
  /** What the table has of the parameters to be left out; undefined if that is none. */
  readonly skipped: ReadonlySet<T> | undefined;
  /** As it was given. */
  readonly timestampWrites: unknown;
}

/**
 * Checks what one step is told, but for the time stamps.
 *
 * @param call the call, for errors: `'encode()'`.
 * @param known the options that this step may be told.
 * @throws OptimizerError `invalid-config` unless these are step options, `invalid-parameter` if a name is unknown.
 */
export function resolveStep<T>(
  options: unknown,
  table: NameTable<T>,
  call: string,
  known: readonly string[] = STEP_KEYS,
): ResolvedStep<T> {
  if (options === undefined) return NOTHING_TOLD;
  if (!isRecord(options)) {
    const isList = Array.isArray(options) || tagOf(options) === '[object Set]';
    const remedy = isList ? 'names to be skipped are given as { skip: names }' : 'give { skip: names }';
    throw new OptimizerError('invalid-config', `${call}: the options are ${quote(options)}; ${remedy}.`);
  }
  const given = copyGiven(options, known);
  rejectUnknownKeys(given, known, call, 'invalid-config');
  const { skip, timestampWrites } = given;
  const skipped = skip === undefined ? undefined : findNames(skip, table, call, 'skip');
  return { skipped: skipped && skipped.size > 0 ? skipped : undefined, timestampWrites };
}

/**
 * As {@link resolveStep}, where nothing but `skip` may be told.
 *
 * @returns what the table has of the parameters to be left out; undefined if that is none.
 */
export function resolveSkip<T>(
  options: unknown,
  table: NameTable<T>,
  call: string,
): ReadonlySet<T> | undefined {
  return resolveStep(options, table, call, ['skip'] satisfies (keyof SkipOptions)[]).skipped;
}

/**
 * What a table has of some names.
 *
 * @param call the call, for errors: `'encode()'`.
 * @param option the option that lists them, for errors: `'skip'`.
 * @throws OptimizerError `invalid-config` unless it is a list, `invalid-parameter` if a name is unknown.
 */
export function findNames<T>(names: unknown, table: NameTable<T>, call: string, option: string): Set<T> {
  if (!isIterable(names)) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: ${option} is ${quote(names)}; give a list of names, e.g. ['w'].`,
    );
  }
  const found = new Set<T>();
  for (const name of names) found.add(table.find(name, call));
  return found;
}

/** Whether a value lists things. A string is an iterable of its letters, which nobody means. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function'
  );
}
