/** Parsers for arguments of the command line; commander reports what they throw as a mistake, and ends the process. */
import { InvalidArgumentError } from 'commander';
import { rules } from '../src/index.js';

/** The names of all rules. */
export const ruleNames: readonly string[] = Object.keys(rules);

/** Of names by commas, each one of a list. */
export function listOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      if (names.includes(name as T)) return name as T;
      throw new InvalidArgumentError(`"${name}" is none of ${names.join(', ')}.`);
    });
}

/** Of a parser that throws errors of another kind. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

/** Of an integer. */
export function integerFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`"${text}" is no integer ≥ ${min}.`);
  };
}

/** Of integers by commas. */
export function integersFrom(min: number): (text: string) => number[] {
  return (text) => text.split(',').map(integerFrom(min));
}
