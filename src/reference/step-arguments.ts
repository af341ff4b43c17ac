import { OptimizerError, quote } from '../errors.js';
import type { ReferenceGradient, ReferenceGradients } from './reference-config.js';

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
  const record: Readonly<Record<string, ReferenceGradient>> = grads;
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
