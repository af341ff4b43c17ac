import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import type { ReferenceGradient, ReferenceGradients } from './reference-config.js';

/** What a step of the reference takes beside the gradients. */
export interface ReferenceStepOptions {
  /**
   * Names of parameters that the step leaves as they are: weights, state, averages and their own count of steps. Their
   * gradients need not be given, and count neither in the norm nor in the search for NaN.
   */
  skip?: Iterable<string>;
}

/**
 * The names that a step leaves out.
 *
 * @throws OptimizerError `invalid-config` if the options are none, `invalid-parameter` for a name that no parameter has.
 */
export function resolveSkip(options: unknown, names: readonly string[]): ReadonlySet<string> {
  if (options === undefined) return new Set();
  if (typeof options !== 'object' || options === null || Symbol.iterator in options) {
    throw new OptimizerError(
      'invalid-config',
      `step: the options are ${quote(options)}; give { skip: names }, or nothing.`,
    );
  }
  rejectUnknownKeys(options, ['skip'], 'step', 'invalid-config');
  const { skip } = options as { readonly skip?: unknown };
  if (skip === undefined) return new Set();
  if (typeof skip !== 'object' || skip === null || !(Symbol.iterator in skip)) {
    throw new OptimizerError(
      'invalid-config',
      `step: skip is ${quote(skip)}; give an array or a set of names.`,
    );
  }
  const skipped = new Set(skip as Iterable<string>);
  const known = new Set(names);
  for (const name of skipped) {
    if (!known.has(name)) fail(`skip names ${quote(name)}, but the parameters are ${quote(names)}.`);
  }
  return skipped;
}

/**
 * Finds each parameter's gradient in what a step was given.
 *
 * @returns of a parameter's position and name, its gradient, if there is one.
 * @throws OptimizerError `invalid-parameter` unless there is a list or a record of gradients, each of a parameter.
 */
export function gradientsByParameter(
  grads: ReferenceGradients,
  names: readonly string[],
): (index: number, name: string) => ReferenceGradient | undefined {
  if (Array.isArray(grads)) {
    const list = grads as readonly ReferenceGradient[];
    if (list.length > names.length) {
      fail(`there are ${list.length} gradients for ${names.length} parameters; give one for each.`);
    }
    return (index) => list[index];
  }
  if (typeof grads !== 'object' || grads === null || ArrayBuffer.isView(grads) || Symbol.iterator in grads) {
    fail(
      `the gradients are ${quote(grads)}; give an array with one per parameter, an object with one per name, ` +
        "or nothing for the parameters' own.",
    );
  }
  const record = grads as Readonly<Record<string, ReferenceGradient>>;
  const known = new Set(names);
  for (const name in record) {
    if (!known.has(name)) {
      fail(`there is a gradient for ${quote(name)}, but the parameters are ${quote(names)}.`);
    }
  }
  return (_, name) => record[name];
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', `step: ${message}`);
}
