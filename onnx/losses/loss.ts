import type { Graph } from '../graph.js';
import { type Shape, type ValueType, elementCount } from '../tensor.js';

/** What a loss is made of. */
export interface LossInputs {
  readonly graph: Graph;
  /** The model's output. */
  readonly output: string;
  /** What the output should be; of a type and a shape that {@link Loss.labels} has. */
  readonly labels: string;
  readonly labelType: ValueType;
}

/** Numbers whose mean is the loss, and how they change. */
export interface LossTerms {
  readonly terms: string;
  /** Gradient of their sum with respect to the output. */
  readonly slopes: string;
}

/** A loss: the mean of terms, which follow from a model's output and labels. */
export interface Loss {
  /** What it is, in one line, for the command's help and the page about it. */
  readonly summary: string;
  /** The types that labels may have, the default first, each with the shape that they have for an output's. */
  readonly labels: ReadonlyMap<ValueType, (output: Shape) => Shape>;
  /** Shape of the weights of rows, for an output's. */
  readonly rows: (output: Shape) => Shape;
  /** Operators that the loss has in it: an output that comes of one of them is no score. */
  readonly contains?: readonly string[];
  /** @throws Error if the loss has no sense for outputs of this shape. */
  readonly check?: (output: string, shape: Shape) => void;
  /** Appends the terms, made of operators that ONNX Runtime has on WebGPU. */
  readonly append: (inputs: LossInputs) => LossTerms;
}

/** Names of a loss that has been appended, and of its gradient with respect to the model's output. */
export interface AppendedLoss {
  readonly loss: string;
  readonly gradient: string;
}

/**
 * Appends the mean of terms: 1/n Σ tᵢ, or with weights of rows Σ wᵢtᵢ / Σ wᵢ, so that rows of weight 0 count as if they were
 * not there.
 *
 * @param name name of the loss.
 * @param rowWeights one number for each of the first axes of the terms.
 */
export function appendMean(
  graph: Graph,
  { terms, slopes }: LossTerms,
  name: string,
  rowWeights?: string,
): AppendedLoss {
  const shape = graph.shape(terms);
  const sum = (value: string): string => {
    const axes = graph.shape(value).map((_, axis) => axis);
    return axes.length > 0 ? graph.reduce('ReduceSum', value, axes, 0) : value;
  };
  if (rowWeights === undefined) {
    const share = graph.constant(1 / elementCount(shape));
    const loss = graph.add('Mul', [sum(terms), share], {}, name);
    return { loss, gradient: graph.add('Mul', [slopes, share]) };
  }
  const rows = graph.shape(rowWeights);
  const weights = graph.reshape(
    rowWeights,
    shape.map((_, axis) => rows[axis] ?? 1),
  );
  const termsPerRow = graph.constant(elementCount(shape) / elementCount(rows));
  const total = graph.add('Mul', [sum(rowWeights), termsPerRow]);
  const loss = graph.add('Div', [sum(graph.add('Mul', [terms, weights])), total], {}, name);
  return { loss, gradient: graph.add('Mul', [slopes, graph.add('Div', [weights, total])]) };
}
