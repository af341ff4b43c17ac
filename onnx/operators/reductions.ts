/** Sums, means and the like over axes. */
import type { Shape } from '../tensor.js';
import { axisOf, integer, integersGiven, range, sizesOf } from './attributes.js';
import { atLeast, cast, expand, product, reduce, reshape, scale } from './forms.js';
import { type Backward, FLOAT, type Forward, INT64, type Operator, type Operators } from './operator.js';

/** Sums what gradients of these come from: the slope with respect to each number, times the gradient. */
function reduction(
  slope: (context: Backward, spread: (value: string) => string) => string,
  note?: string,
): Operator {
  return {
    shapes: ({ graph, node, inputs: [input = []] }) => [reduced({ graph, node }, input)],
    ...(note === undefined ? {} : { note }),
    backward: (context) => {
      const { graph, node } = context;
      const shape = graph.shape(node.input![0]!);
      const axes = axesOf(context, shape);
      const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      return [
        expand(
          graph,
          slope(context, (value) => reshape(graph, value, kept)),
          shape,
        ),
      ];
    },
  };
}

/** Shared among those that are the largest, or the smallest. */
const extreme = reduction(({ graph, node, gradient }, spread) => {
  const [x] = node.input as [string];
  const y = spread(node.output![0]!);
  const isIt = node.opType === 'ReduceMax' ? atLeast(graph, x, y) : atLeast(graph, y, x);
  const ones = cast(graph, isIt, FLOAT);
  const axes = axesOf({ graph, node }, graph.shape(x));
  const count = reduce(graph, 'ReduceSum', ones, axes, 1);
  return product(graph, graph.add('Div', [spread(gradient), count]), ones);
}, 'shared equally among ties, as PyTorch’s `amax` and `amin` have it');

export const reductions: Operators = {
  ReduceSum: reduction(({ gradient }, spread) => spread(gradient)),
  ReduceMean: reduction(({ graph, node, gradient }, spread) => {
    const shape = graph.shape(node.input![0]!);
    const count = sizesOf(shape, axesOf({ graph, node }, shape)).reduce((total, size) => total * size, 1);
    return scale(graph, spread(gradient), 1 / count);
  }),
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceL2: reduction(
    // x / y
    ({ graph, node, gradient }, spread) =>
      product(graph, node.input![0]!, graph.add('Div', [spread(gradient), spread(node.output![0]!)])),
    'no number where all are 0',
  ),
  ReduceSumSquare: reduction(({ graph, node, gradient }, spread) =>
    product(graph, scale(graph, node.input![0]!, 2), spread(gradient)),
  ),
  ReduceProd: { shapes: ({ graph, node, inputs: [input = []] }) => [reduced({ graph, node }, input)] },
  ArgMax: { shapes: ({ node, inputs: [input = []] }) => [overAxis(node, input)], types: () => [INT64] },
  ArgMin: { shapes: ({ node, inputs: [input = []] }) => [overAxis(node, input)], types: () => [INT64] },
};

/** The axes of a reduction; all, if none are given. */
function axesOf(context: Pick<Forward, 'graph' | 'node'>, shape: Shape): readonly number[] {
  const given = integersGiven(context, 'axes', 1) ?? [];
  if (given.length > 0) return given.map((axis) => axisOf(axis, shape.length));
  return integer(context.node, 'noop_with_empty_axes', 0) === 1 ? [] : range(shape.length);
}

function reduced(context: Pick<Forward, 'graph' | 'node'>, shape: Shape): Shape {
  return without(shape, axesOf(context, shape), integer(context.node, 'keepdims', 1) === 1);
}

function overAxis(node: Forward['node'], shape: Shape): Shape {
  return without(shape, [axisOf(integer(node, 'axis', 0), shape.length)], integer(node, 'keepdims', 1) === 1);
}

function without(shape: Shape, axes: readonly number[], isKept: boolean): Shape {
  if (isKept) return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return shape.filter((_, axis) => !axes.includes(axis));
}
