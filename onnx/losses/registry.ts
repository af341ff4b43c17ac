import { type ValueType, floatTensor, elementCount, showShape, valueOf } from '../tensor.js';
import type { Graph } from '../graph.js';
import { FLOAT, placeOf } from '../operators/operator.js';
import { crossEntropy } from './cross-entropy.js';
import { binaryCrossEntropy, meanSquaredError } from './elementwise.js';
import { type AppendedLoss, type Loss, appendMean } from './loss.js';

/** The losses that follow from labels, by their names. */
export const losses = {
  'cross-entropy': crossEntropy,
  mse: meanSquaredError,
  bce: binaryCrossEntropy,
} satisfies Record<string, Loss>;

/** A loss; `output` is a model's output that is a loss already. */
export type LossName = keyof typeof losses | 'output';

/** All names. */
export const lossNames = [...Object.keys(losses), 'output'] as readonly LossName[];

/** What the model is trained for. */
export interface LossOptions {
  /** Which loss. Default `'cross-entropy'`. */
  readonly loss?: LossName;
  /** The type of the labels, where a loss takes several. Default `'float32'`. */
  readonly labelType?: ValueType;
  /** Name of the input for the labels. Default `'labels'`. */
  readonly labels?: string;
  /**
   * Name of an input of float32 that weighs the rows of a batch, so that the loss is Σ wₙlₙ / Σ wₙ: with 0 where rows are
   * missing, the last, smaller batch has the gradients that it would have alone. Default: no such input, all weigh the same.
   */
  readonly rowWeights?: string;
  /** Name of the output for the loss. Default `'loss'`. */
  readonly lossName?: string;
}

/**
 * Appends a loss of a model's output, with the inputs that it takes.
 *
 * @throws Error if there is no such loss, an option has no effect on it, or the output has a shape that it cannot be of.
 */
export function appendLoss(graph: Graph, output: string, options: LossOptions): AppendedLoss {
  rejectType(graph, output);
  const { loss: name = 'cross-entropy', labels = 'labels', rowWeights, lossName = 'loss' } = options;
  if (name === 'output') return takeLoss(graph, output, options);
  const loss: Loss | undefined = Object.hasOwn(losses, name) ? losses[name] : undefined;
  if (!loss) throw new Error(`The loss is "${name}"; give one of ${lossNames.join(', ')}.`);
  const { labelType = loss.labels.keys().next().value! } = options;
  const labelShape = loss.labels.get(labelType);
  if (!labelShape) {
    const known = [...loss.labels.keys()].join(' or ');
    throw new Error(`Labels of type "${labelType}" are no labels of the loss "${name}"; it takes ${known}.`);
  }
  const shape = graph.shape(output);
  loss.check?.(output, shape);
  rejectContained(graph, output, name, loss);
  graph.addInput(valueOf(labels, labelType, labelShape(shape)));
  if (rowWeights !== undefined) graph.addInput(valueOf(rowWeights, 'float32', loss.rows(shape)));
  return appendMean(graph, loss.append({ graph, output, labels, labelType }), lossName, rowWeights);
}

function rejectType(graph: Graph, output: string): void {
  if (graph.elementType(output) === FLOAT) return;
  throw new Error(
    `The output "${output}" is of ONNX's type ${graph.elementType(output)}; a loss is of numbers of float32, ` +
      'so choose another output, or export the model with one.',
  );
}

/** Operators that leave numbers as they are. */
const CARRIERS: ReadonlySet<string> = new Set(
  'Identity Cast Dropout Reshape Flatten Squeeze Unsqueeze Transpose'.split(' '),
);

/** @throws Error if the output is behind what the loss does itself: it would be done twice, and train badly without a word. */
function rejectContained(graph: Graph, output: string, name: string, { contains = [] }: Loss): void {
  const sourceOf = (value: string) => graph.nodes.find((node) => node.output!.includes(value));
  let node = sourceOf(output);
  while (node && CARRIERS.has(node.opType!)) node = sourceOf(node.input![0]!);
  if (!node || !contains.includes(node.opType!)) return;
  throw new Error(
    `The output "${output}" comes of ${placeOf(node)}, but the loss "${name}" is of the scores in front of it, and would do the ` +
      `like once more; take them with --output ${JSON.stringify(node.input![0])}, or the loss "mse" for the output as it is.`,
  );
}

function takeLoss(graph: Graph, output: string, options: LossOptions): AppendedLoss {
  for (const option of ['labels', 'labelType', 'rowWeights', 'lossName'] as const) {
    if (options[option] === undefined) continue;
    throw new Error(
      `${option} is "${options[option]}", but the output "${output}" is the loss already; leave it out.`,
    );
  }
  const dims = graph.shape(output);
  if (elementCount(dims) !== 1) {
    throw new Error(`The output "${output}" has shape ${showShape(dims)}; a loss is a single number.`);
  }
  const gradient = graph.insert((name) => floatTensor(name, { dims, data: Float32Array.of(1) }));
  return { loss: output, gradient };
}
