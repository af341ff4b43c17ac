/** Activations: functions of a number, and of all numbers along an axis. */
import { axisOf, float, integer, range, text } from './attributes.js';
import { likeFirst } from './broadcast.js';
import { atLeast, choose, product, reduce, scale, select } from './forms.js';
import type { Backward, OperatorGraph, Operators } from './operator.js';

const isPositive = (graph: OperatorGraph, value: string): string =>
  graph.add('Greater', [value, graph.constant(0)]);

export const activations: Operators = {
  Relu: {
    shapes: likeFirst,
    note: '0 at 0',
    // The result is positive exactly where the input is.
    backward: ({ graph, node, gradient }) => [select(graph, isPositive(graph, node.output![0]!), gradient)],
  },
  LeakyRelu: {
    shapes: likeFirst,
    note: '`alpha` at 0',
    backward: ({ graph, node, gradient }) => {
      const alpha = graph.constant(float(node, 'alpha', 0.01));
      const slope = choose(graph, isPositive(graph, node.input![0]!), graph.constant(1), alpha);
      return [graph.add('Mul', [gradient, slope])];
    },
  },
  Clip: {
    shapes: likeFirst,
    note: '1 at the limits, as PyTorch’s `clamp` has it; limits that depend on trained weights are refused',
    backward: ({ graph, node, gradient }) => {
      const [x] = node.input as [string];
      const limit = (name: string, k: number): string | undefined => {
        const given = node.attribute?.find((other) => other.name === name)?.f;
        // An input that is left out has no name.
        return typeof given === 'number' ? graph.constant(given) : node.input![k] || undefined;
      };
      const [min, max] = [limit('min', 1), limit('max', 2)];
      const above = min ? select(graph, atLeast(graph, x, min), gradient) : gradient;
      return [max ? select(graph, atLeast(graph, max, x), above) : above];
    },
  },
  Tanh: {
    shapes: likeFirst,
    // 1 − y²
    backward: ({ graph, node, gradient }) => {
      const [y] = node.output as [string];
      return [product(graph, gradient, oneMinus(graph, product(graph, y, y)))];
    },
  },
  Sigmoid: {
    shapes: likeFirst,
    // y (1 − y)
    backward: ({ graph, node, gradient }) => {
      const [y] = node.output as [string];
      return [product(graph, gradient, product(graph, y, oneMinus(graph, y)))];
    },
  },
  Erf: {
    shapes: likeFirst,
    // 2/√π · exp(−x²)
    backward: ({ graph, node, gradient }) => {
      const [x] = node.input as [string];
      const bell = graph.add('Exp', [graph.add('Neg', [product(graph, x, x)])]);
      return [product(graph, gradient, scale(graph, bell, 2 / Math.sqrt(Math.PI)))];
    },
  },
  Gelu: {
    shapes: likeFirst,
    note: 'both forms, `none` and `tanh`',
    backward: (context) => {
      const { graph, node, gradient } = context;
      const slope = text(node, 'approximate', 'none') === 'tanh' ? tanhGelu : exactGelu;
      return [product(graph, gradient, slope(graph, node.input![0]!))];
    },
  },
  Softmax: {
    shapes: likeFirst,
    // y (g − Σ g y)
    backward: (context) => {
      const { graph, node, gradient } = context;
      const [y] = node.output as [string];
      const total = reduce(graph, 'ReduceSum', product(graph, gradient, y), softmaxAxes(context), 1);
      return [product(graph, y, graph.add('Sub', [gradient, total]))];
    },
  },
  LogSoftmax: {
    shapes: likeFirst,
    note: 'ONNX Runtime runs it on the CPU; a model that ends with the scores stays on the GPU',
    // g − exp(y) Σ g
    backward: (context) => {
      const { graph, node, gradient } = context;
      const total = reduce(graph, 'ReduceSum', gradient, softmaxAxes(context), 1);
      return [graph.add('Sub', [gradient, product(graph, graph.add('Exp', [node.output![0]!]), total)])];
    },
  },
};

/** One axis; until opset 13, it and all behind it. */
function softmaxAxes({ graph, node }: Backward): readonly number[] {
  const rank = graph.shape(node.input![0]!).length;
  if (graph.opset >= 13) return [axisOf(integer(node, 'axis', -1), rank)];
  return range(rank).slice(axisOf(integer(node, 'axis', 1), rank));
}

const oneMinus = (graph: OperatorGraph, value: string): string =>
  graph.add('Sub', [graph.constant(1), value]);

/** Of x Φ(x): Φ(x) + x φ(x). */
function exactGelu(graph: OperatorGraph, x: string): string {
  const erf = graph.add('Erf', [scale(graph, x, Math.SQRT1_2)]);
  const below = scale(graph, graph.add('Add', [erf, graph.constant(1)]), 0.5);
  const bell = graph.add('Exp', [scale(graph, product(graph, x, x), -0.5)]);
  return graph.add('Add', [below, scale(graph, product(graph, x, bell), 1 / Math.sqrt(2 * Math.PI))]);
}

/** Of ½ x (1 + t), t = tanh(√(2/π) (x + 0.044715 x³)): ½ (1 + t) + ½ x (1 − t²) t's slope. */
function tanhGelu(graph: OperatorGraph, x: string): string {
  const CUBIC = 0.044715;
  const square = product(graph, x, x);
  /** 1 + b x², times √(2/π). */
  const even = (b: number): string =>
    scale(graph, graph.add('Add', [scale(graph, square, b), graph.constant(1)]), Math.sqrt(2 / Math.PI));
  const t = graph.add('Tanh', [product(graph, x, even(CUBIC))]);
  const below = graph.add('Add', [t, graph.constant(1)]);
  const bend = product(graph, x, oneMinus(graph, product(graph, t, t)), even(3 * CUBIC));
  return scale(graph, graph.add('Add', [below, bend]), 0.5);
}
