import type { Graph } from '../graph.js';
import { type Shape, DataType, int32Tensor, showShape } from '../tensor.js';
import type { Loss } from './loss.js';

const rows = (output: Shape): Shape => output.slice(0, -1);

/**
 * Softmax cross-entropy over the last axis of the scores: −Σₖ yₖ log pₖ, with p the softmax. Its gradient, p Σₖ yₖ − y, shares
 * the exponentials. Each row's largest score is taken off first, so that no exponential overflows.
 *
 * ONNX Runtime's own SoftmaxCrossEntropyLoss would run on the CPU and be read back.
 */
export const crossEntropy: Loss = {
  summary:
    'softmax cross-entropy over the last axis, in nats. Labels: float32, of the shape of the scores, each row summing to 1; ' +
    'or int64, the index of the class, without the last axis',
  labels: new Map([
    ['float32', (output) => output],
    ['int64', rows],
  ]),
  rows,
  // A logarithm of the softmax has itself as its own: LogSoftmax may come in front.
  contains: ['Softmax', 'Sigmoid'],
  check: (output, shape) => {
    if (shape.length < 2) {
      throw new Error(`The scores "${output}" have shape ${showShape(shape)}; [N, …, K] is needed.`);
    }
    if (shape.at(-1) === 1) {
      throw new Error(
        `The scores "${output}" have shape ${showShape(shape)}, so there is one class and nothing to learn; ` +
          'take the loss "bce" for a single score.',
      );
    }
  },
  append: ({ graph, output: scores, labels, labelType }) => {
    const shape = graph.shape(scores);
    const last = [shape.length - 1];
    const sum = (value: string): string => graph.reduce('ReduceSum', value, last, 1);
    const wanted = labelType === 'int64' ? oneHot(graph, labels, shape) : labels;
    const shifted = graph.add('Sub', [scores, graph.reduce('ReduceMax', scores, last, 1)]);
    const exponentials = graph.add('Exp', [shifted]);
    const total = sum(exponentials);
    const logarithms = graph.add('Sub', [shifted, graph.add('Log', [total])]);
    const terms = graph.add('Neg', [sum(graph.add('Mul', [wanted, logarithms]))]);
    const share = graph.add('Div', [sum(wanted), total]);
    const slopes = graph.add('Sub', [graph.add('Mul', [exponentials, share]), wanted]);
    return { terms, slopes };
  },
};

/**
 * 1 at each row's class, 0 elsewhere; NaN in the rows whose class there is not, so that such a label shows in the loss. ONNX
 * Runtime has OneHot on the CPU alone. The cast of int64 is there, too, but the labels mostly are as well, one for each row.
 */
function oneHot(graph: Graph, labels: string, shape: Shape): string {
  const count = shape.at(-1)!;
  const toFloat = (value: string): string => graph.add('Cast', [value], { to: DataType.FLOAT });
  const cast = graph.add('Cast', [labels], { to: DataType.INT32 });
  const classes = graph.reshape(cast, [...rows(shape), 1]);
  const all = graph.insert((name) =>
    int32Tensor(name, { dims: [count], data: Int32Array.from({ length: count }, (_, k) => k) }),
  );
  const numbers = toFloat(classes);
  const isSmall = toFloat(graph.add('Less', [numbers, graph.constant(count)]));
  const isLarge = toFloat(graph.add('Less', [graph.constant(-1), numbers]));
  // 0/1, or 0/0.
  const others = graph.add('Div', [graph.constant(0), graph.add('Mul', [isSmall, isLarge])]);
  return graph.add('Add', [toFloat(graph.add('Equal', [classes, all])), others]);
}
