import { OptimizerError, quote } from '../errors.js';
import type { Insides } from './session.js';

const known = new WeakMap<object, Insides>();

/** Lets {@link insidesOf} find an optimizer's. */
export function noteInsides(optimizer: object, insides: Insides): void {
  known.set(optimizer, insides);
}

/**
 * The insides of an optimizer.
 *
 * @param call the call, for the error.
 * @throws OptimizerError `invalid-config` if it is none.
 */
export function insidesOf(optimizer: unknown, call: string): Insides {
  const insides = typeof optimizer === 'object' && optimizer !== null ? known.get(optimizer) : undefined;
  if (insides) return insides;
  throw new OptimizerError(
    'invalid-config',
    `${call}: ${quote(optimizer)} is no optimizer; give what Optimizer.create returned.`,
  );
}
