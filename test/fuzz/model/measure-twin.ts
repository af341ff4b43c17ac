import { valuesByteLength } from '../../../src/codecs/codec.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import type { ParameterNorms } from '../../../src/index.js';
import type { OptimizerTwin } from './twin.js';

/** As `Optimizer.norms`. */
export function normsOf({ tensors, gradScale, lossScale }: OptimizerTwin): Record<string, ParameterNorms> {
  const multiplier = gradScale / lossScale;
  return Object.fromEntries(
    tensors.map((tensor) => [
      tensor.name,
      { param: normOf(tensor.weights), grad: multiplier * normOf(tensor.gradientValues(tensor.home)) },
    ]),
  );
}

/** As `Optimizer.stateByteLength`, of one that is not destroyed. */
export function stateByteLengthOf({ tensors }: OptimizerTwin): number {
  const lengths = tensors.flatMap(({ rule, state }) =>
    Object.entries(state.state).map(([slot, { length }]) =>
      valuesByteLength(layoutOf(rule).codecOf(slot), length),
    ),
  );
  return lengths.reduce((sum, length) => sum + length, 0);
}

function normOf(values: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  return Math.sqrt(squares);
}
