/** The operators that training knows. */
import type { onnx } from 'onnx-proto';
import { activations } from './activations.js';
import { constants } from './constants.js';
import { convolutions } from './convolutions.js';
import { elementwiseOperators } from './elementwise.js';
import { movements } from './movement.js';
import { normalizations } from './normalization.js';
import type { Operator, Operators } from './operator.js';
import { pooling } from './pooling.js';
import { products } from './products.js';
import { reductions } from './reductions.js';

/** All operators, by families. */
export const families: Readonly<Record<string, Operators>> = {
  Products: products,
  Convolutions: convolutions,
  Pooling: pooling,
  Normalization: normalizations,
  Activations: activations,
  Arithmetic: elementwiseOperators,
  Reductions: reductions,
  'Shapes and parts': movements,
  Constants: constants,
};

const operators: ReadonlyMap<string, Operator> = new Map(
  Object.values(families).flatMap((family) => Object.entries(family)),
);

/** The operator of a node; undefined if training does not know it. */
export function operatorOf({ opType, domain }: onnx.INodeProto): Operator | undefined {
  return domain && domain !== 'ai.onnx' ? undefined : operators.get(opType!);
}

/** The operators that gradients go back through. */
export const trainable: readonly string[] = [...operators]
  .filter(([, { backward }]) => backward)
  .map(([name]) => name);
