import type { Graph } from './graph.js';

/** Names of what {@link appendSoftmaxCrossEntropy} has appended. */
export interface AppendedLoss {
  /** The mean over the rows, in nats: a single number. */
  readonly loss: string;
  /** Its gradient with respect to the scores. */
  readonly gradient: string;
}

/**
 * Appends mean softmax cross-entropy, −1/N Σₙ Σₖ yₙₖ log pₙₖ with p the softmax of the scores, and its gradient (p − y)/N,
 * which shares the exponentials. Each row's largest score is taken off first, so that no exponential overflows.
 *
 * The operators are those that ONNX Runtime has on WebGPU; its SoftmaxCrossEntropyLoss would run on the CPU and be read back.
 *
 * @param scores a value of shape [N, K].
 * @param labels a value of the same shape; each row sums to 1.
 * @param name name of the loss.
 */
export function appendSoftmaxCrossEntropy(
  graph: Graph,
  scores: string,
  labels: string,
  name: string,
): AppendedLoss {
  const [rows] = graph.shape(scores) as [number];
  const shifted = graph.add('Sub', [scores, graph.reduce('ReduceMax', scores, [1], 1)]);
  const exponentials = graph.add('Exp', [shifted]);
  const total = graph.reduce('ReduceSum', exponentials, [1], 1);
  const logarithms = graph.add('Sub', [shifted, graph.add('Log', [total])]);
  const likelihood = graph.reduce('ReduceSum', graph.add('Mul', [labels, logarithms]), [0, 1], 0);
  const loss = graph.add('Mul', [likelihood, graph.constant(-1 / rows)], {}, name);
  const deviation = graph.add('Sub', [graph.add('Div', [exponentials, total]), labels]);
  const gradient = graph.add('Mul', [deviation, graph.constant(1 / rows)]);
  return { loss, gradient };
}
