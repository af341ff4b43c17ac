/** Parsers for arguments of the command line; commander reports what they throw as a mistake, and ends the process. */
import { InvalidArgumentError } from 'commander';
import { integerFrom } from '../scripts/terminal/command-line.js';
import { rules } from '../src/index.js';

/** The names of all rules. */
export const ruleNames: readonly string[] = Object.keys(rules);

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

/** Of integers by commas. */
export function integersFrom(min: number): (text: string) => number[] {
  return (text) => text.split(',').map(integerFrom(min));
}
