import type { Shape } from '../tensor.js';
import type { Loss } from './loss.js';

/** Labels as the output is, and a weight for each index of its first axis. */
const likeOutput: Pick<Loss, 'labels' | 'rows'> = {
  labels: new Map([['float32', (output: Shape) => output]]),
  rows: (output) => output.slice(0, 1),
};

/** Mean squared error: (y − t)², with the gradient 2 (y − t). */
export const meanSquaredError: Loss = {
  summary: 'mean squared error. Labels: float32, of the shape of the output',
  ...likeOutput,
  append: ({ graph, output, labels }) => {
    const difference = graph.add('Sub', [output, labels]);
    return {
      terms: graph.add('Mul', [difference, difference]),
      slopes: graph.add('Mul', [difference, graph.constant(2)]),
    };
  },
};

/**
 * Binary cross-entropy of scores (logits) x: −t log σ(x) − (1 − t) log(1 − σ(x)), as max(x, 0) − x t + log(1 + exp(−|x|)), so
 * that no exponential overflows. The gradient is σ(x) − t.
 */
export const binaryCrossEntropy: Loss = {
  summary:
    'binary cross-entropy of scores before the sigmoid, in nats. Labels: float32 in 0…1, of the shape of the scores',
  ...likeOutput,
  contains: ['Sigmoid', 'Softmax', 'LogSoftmax'],
  append: ({ graph, output: scores, labels }) => {
    const exponentials = graph.add('Exp', [graph.add('Neg', [graph.add('Abs', [scores])])]);
    const rest = graph.add('Log', [graph.add('Add', [exponentials, graph.constant(1)])]);
    const hinge = graph.add('Sub', [graph.add('Relu', [scores]), graph.add('Mul', [scores, labels])]);
    return {
      terms: graph.add('Add', [hinge, rest]),
      slopes: graph.add('Sub', [graph.add('Sigmoid', [scores]), labels]),
    };
  },
};
