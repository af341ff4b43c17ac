import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import { OptimizerError, quote } from '../../errors.js';
import { registeredVariables } from './backend.js';
import type { NamedTensor } from './exported-tensors.js';

/** A variable with its gradient in this step. */
export interface Update {
  readonly variable: Variable;
  readonly gradient: Tensor;
}

/**
 * The variables that have a gradient, by name. Those without elements are left out: there is nothing to be done.
 *
 * @throws OptimizerError `invalid-parameter` if a variable is unknown or not float32, or its gradient does not fit.
 */
export function checkUpdates(given: Record<string, Tensor> | readonly NamedTensor[]): Map<string, Update> {
  const list: (readonly [string, Tensor | null | undefined])[] = Array.isArray(given)
    ? given.map(({ name, tensor }: NamedTensor) => [name, tensor] as const)
    : Object.entries(given);
  const updates = new Map<string, Update>();
  const variables = registeredVariables();
  for (const [name, gradient] of list) {
    if (gradient === null || gradient === undefined) continue;
    // Put together for errors only: it takes longer than all that is checked.
    const what = () => `variable ${quote(name)}`;
    const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (!variable)
      fail(`there is no ${what()}; give gradients by the names of variables that are not disposed.`);
    if (updates.has(name)) fail(`${what()} has two gradients; give one, their sum.`);
    rejectOtherType(variable, what);
    rejectOtherType(gradient, () => `the gradient of ${what()}`);
    if (gradient.isDisposed) fail(`the gradient of ${what()} is disposed; give it before that.`);
    if (!haveSameShape(variable, gradient)) {
      const [shape, gradientShape] = [variable, gradient].map((tensor) => `[${tensor.shape.join(', ')}]`);
      fail(`${what()} has shape ${shape} but its gradient ${gradientShape}; give them the same.`);
    }
    if (variable.size > 0) updates.set(name, { variable, gradient });
  }
  return updates;
}

const haveSameShape = ({ shape }: Tensor, other: Tensor): boolean =>
  shape.length === other.shape.length && shape.every((length, k) => length === other.shape[k]);

function rejectOtherType({ dtype }: Tensor, what: () => string): void {
  if (dtype !== 'float32') fail(`${what()} is ${dtype}; only float32 can be optimized, cast it.`);
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
