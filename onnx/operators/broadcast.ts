/** Shapes that are stretched to go together, and how gradients go back through that. */
import { type Shape, showShape } from '../tensor.js';
import { range } from './attributes.js';
import { reduce, reshape } from './forms.js';
import type { Backward, Operator, OperatorGraph } from './operator.js';

/** The shapes of an operator that works number by number. */
export const elementwise: Operator['shapes'] = ({ inputs }) => [inputs.reduce(broadcast)];

/** The shape of the first input. */
export const likeFirst: Operator['shapes'] = ({ inputs: [first = []] }) => [first];

/** Shapes are aligned at their last axis; an axis of 1 is stretched. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return range(rank).map((axis) => {
    const [p, q] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (p !== q && p !== 1 && q !== 1)
      throw new Error(`shapes ${showShape(a)} and ${showShape(b)} do not go together.`);
    return p === 1 ? q : p;
  });
}

/** What undoes a broadcast: the sum over the axes that were added or stretched. */
export function sumTo(graph: OperatorGraph, value: string, shape: Shape): string {
  const from = graph.shape(value);
  const added = from.length - shape.length;
  const stretched = range(from.length).filter(
    (axis) => axis < added || (shape[axis - added] === 1 && from[axis] !== 1),
  );
  const keepdims = stretched.every((axis) => axis < added) ? 0 : 1;
  return reshape(graph, reduce(graph, 'ReduceSum', value, stretched, keepdims), shape);
}

/** One gradient per input that needs it, summed to the input's shape. */
export function inputsOf(
  context: Backward,
  gradientOf: (k: number) => string | undefined,
): (string | undefined)[] {
  const { graph, node, isNeeded } = context;
  return node.input!.map((input, k) => {
    const gradient = isNeeded(k) ? gradientOf(k) : undefined;
    return gradient === undefined ? undefined : sumTo(graph, gradient, graph.shape(input));
  });
}
