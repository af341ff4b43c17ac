/** What all commands of this repository have in common: one line and exit status 2 on a mistake, no stack where it helps nobody. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { isLeaving, leave } from './leaving.js';

/** What a command line that is wrong exits with; a run that fails exits with 1. */
const USAGE_STATUS = 2;

/** A mistake in the command line that only the command itself can find. */
export class UsageError extends Error {}

/**
 * A command whose parser prints one line on a mistake, or the help that is asked for, and then throws.
 *
 * @param name what users type.
 */
export function createCommand(name: string): Command {
  return new Command(name).showSuggestionAfterError(false).exitOverride();
}

/**
 * Runs a command and ends the process: with the status that `main` returns, with 2 on a mistake in the command line, with 1 if
 * `main` fails. A reader that goes away, as `head` does, is no failure.
 *
 * @param name what an error's line begins with.
 */
export async function runCommand(name: string, main: () => Promise<number | void>): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (!isLeaving()) void leave(0);
    });
  }
  const status = await main().then(
    (result) => result ?? 0,
    (error: unknown) => (isLeaving() ? 1 : tell(name, error)),
  );
  // Whoever is leaving ends the process when all is put right.
  if (isLeaving()) await new Promise(() => {});
  process.exit(status);
}

/** What is thrown where our code is wrong: then the place is of interest. Where a browser was found missing is not. */
const OUR_MISTAKES = [TypeError, ReferenceError, RangeError, SyntaxError];

/** Prints what went wrong. */
function tell(name: string, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_STATUS;
  const isUsage = error instanceof UsageError;
  const isOurs = !(error instanceof Error) || OUR_MISTAKES.some((kind) => error instanceof kind);
  console.error(isOurs ? error : `${isUsage ? 'error' : name}: ${error.message}`);
  return isUsage ? USAGE_STATUS : 1;
}

/** A parser of an integer. */
export function integerFrom(min: number, max = Infinity): (text: string) => number {
  const range = max === Infinity ? `≥ ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`"${text}" is no integer ${range}.`);
  };
}

/** Parses a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && value < Infinity) return value;
  throw new InvalidArgumentError(`"${text}" is no number above 0.`);
}

/** A parser of names by commas, each one of a list. */
export function listOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) => text.split(',').map((name) => oneOf(names, name));
}

/** The one of a list that is called so. */
export function oneOf<T extends string>(names: readonly T[], name: string): T {
  const found = names.find((known) => known === name);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`"${name}" is none of ${names.join(', ')}.`);
}
