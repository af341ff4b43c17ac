import { OptimizerError, quote } from '../../../errors.js';
import type { MatrixCandidate } from '../../../rules/declaring/matrix.js';
import type { Rule } from '../../../rules/rule.js';

/**
 * The lengths of a parameter's axes, if they are given.
 *
 * @throws OptimizerError `invalid-parameter` unless they are integers ≥ 1 with the number of elements as product.
 */
export function resolveShape(
  given: unknown,
  elementCount: number,
  what: string,
): { readonly shape?: readonly number[] } {
  if (given === undefined) return {};
  const shape: unknown[] = Array.isArray(given) ? Array.from(given) : [NaN];
  const product = shape.reduce<number>(
    (all, length) => (Number.isInteger(length) && (length as number) >= 1 ? all * (length as number) : NaN),
    1,
  );
  if (product === elementCount) return { shape: Object.freeze(shape as number[]) };
  throw new OptimizerError(
    'invalid-parameter',
    `${what}: shape is ${quote(given)}; give the lengths of its axes, integers ≥ 1 whose product is ${elementCount}, its elements.`,
  );
}

/** @throws OptimizerError `invalid-parameter` if the parameter is none that the rule can step. */
export function rejectNoMatrix(rule: Rule, parameter: MatrixCandidate): void {
  const complaint = rule.declaration.parameterComplaint?.(rule.name, parameter);
  if (complaint === undefined) return;
  throw new OptimizerError('invalid-parameter', `parameter ${quote(parameter.name)} ${complaint}`);
}
