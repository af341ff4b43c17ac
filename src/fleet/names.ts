import { OptimizerError, quote } from '../errors.js';

/** What may stand in a token of a subject, in a key, in a file's name and in an address. */
const NAME = /^[\w-]{1,64}$/u;

/** @throws OptimizerError `invalid-option` unless a name is one that every transport can carry. */
export function checkName(name: unknown, what: 'peer' | 'run'): asserts name is string {
  if (typeof name === 'string' && NAME.test(name)) return;
  throw new OptimizerError(
    'invalid-option',
    `${what} is ${quote(name)}; give a name of 1 to 64 of the characters A–Z, a–z, 0–9, _ and -.`,
  );
}
