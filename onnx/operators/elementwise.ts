/** Arithmetic, number by number, with the shapes stretched to go together. */
import { integer } from './attributes.js';
import { elementwise, inputsOf, likeFirst } from './broadcast.js';
import { cast, product, scale, select } from './forms.js';
import { BOOL, type Backward, type Operator, type Operators } from './operator.js';

/** An operator of one input: what its gradient is multiplied by, from its input and its result. */
function unary(slope: (context: Backward, x: string, y: string) => string): Operator {
  return {
    shapes: likeFirst,
    backward: (context) => {
      const { graph, node, gradient } = context;
      return [graph.add('Mul', [gradient, slope(context, node.input![0]!, node.output![0]!)])];
    },
  };
}

const comparison: Operator = { shapes: elementwise, types: () => [BOOL] };

export const elementwiseOperators: Operators = {
  Add: {
    shapes: elementwise,
    backward: (context) => inputsOf(context, () => context.gradient),
  },
  Sub: {
    shapes: elementwise,
    backward: (context) =>
      inputsOf(context, (k) => (k === 0 ? context.gradient : context.graph.add('Neg', [context.gradient]))),
  },
  Mul: {
    shapes: elementwise,
    backward: (context) =>
      inputsOf(context, (k) => context.graph.add('Mul', [context.gradient, context.node.input![1 - k]!])),
  },
  Div: {
    shapes: elementwise,
    // 1/b, and −y/b
    backward: (context) => {
      const { graph, node, gradient } = context;
      return inputsOf(context, (k) => {
        const quotient = graph.add('Div', [gradient, node.input![1]!]);
        return k === 0 ? quotient : graph.add('Neg', [product(graph, quotient, node.output![0]!)]);
      });
    },
  },
  Pow: {
    shapes: elementwise,
    note: 'where base or exponent is 0, the slope along it is 0; PyTorch has infinities for negative powers of 0',
    // b·a^(b−1), and y·ln a
    backward: (context) => {
      const { graph, node, gradient } = context;
      const [a, exponent] = node.input as [string, string];
      const isNot0 = (value: string): string =>
        graph.add('Greater', [graph.add('Abs', [value]), graph.constant(0)]);
      return inputsOf(context, (k) => {
        if (k === 1) {
          const logarithm = select(graph, isNot0(a), graph.add('Log', [a]));
          return product(graph, gradient, node.output![0]!, logarithm);
        }
        const b = cast(graph, exponent, graph.elementType(a));
        const power = graph.add('Pow', [a, graph.add('Sub', [b, graph.constant(1)])]);
        // 0 · 0⁻¹ would be no number.
        return product(graph, gradient, b, select(graph, isNot0(b), power));
      });
    },
  },
  Neg: {
    shapes: likeFirst,
    backward: ({ graph, gradient }) => [graph.add('Neg', [gradient])],
  },
  Exp: unary((_, _x, y) => y),
  Log: {
    shapes: likeFirst,
    backward: ({ graph, node, gradient }) => [graph.add('Div', [gradient, node.input![0]!])],
  },
  Sqrt: {
    shapes: likeFirst,
    note: 'infinite at 0, as in PyTorch',
    backward: ({ graph, node, gradient }) => [
      scale(graph, graph.add('Div', [gradient, node.output![0]!]), 0.5),
    ],
  },
  Reciprocal: unary(({ graph }, _, y) => graph.add('Neg', [product(graph, y, y)])),
  Abs: {
    shapes: likeFirst,
    note: '0 at 0',
    backward: ({ graph, node, gradient }) => {
      const [x] = node.input as [string];
      const side = (compare: string): string =>
        select(graph, graph.add(compare, [x, graph.constant(0)]), gradient);
      return [graph.add('Sub', [side('Greater'), side('Less')])];
    },
  },
  Sin: unary(({ graph }, x) => graph.add('Cos', [x])),
  Cos: unary(({ graph }, x) => graph.add('Neg', [graph.add('Sin', [x])])),
  Identity: { shapes: likeFirst, backward: ({ gradient }) => [gradient] },
  Cast: {
    shapes: likeFirst,
    types: ({ node }) => [integer(node, 'to', 0)],
    note: 'whole numbers and conditions have no gradient: nothing goes back through them',
    backward: ({ graph, node, gradient }) => [cast(graph, gradient, graph.elementType(node.input![0]!))],
  },
  Where: {
    shapes: elementwise,
    types: ({ graph, node }) => [graph.elementType(node.input![1]!)],
    backward: (context) => {
      const { graph, node, gradient } = context;
      const [condition] = node.input as [string];
      return inputsOf(context, (k) =>
        select(graph, k === 1 ? condition : graph.add('Not', [condition]), gradient),
      );
    },
  },
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Equal: comparison,
  And: comparison,
  Or: comparison,
  Not: comparison,
  Floor: { shapes: likeFirst },
  Ceil: { shapes: likeFirst },
};
