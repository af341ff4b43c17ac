import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { appendGradients } from './gradients.js';
import { Graph } from './graph.js';
import { appendSoftmaxCrossEntropy } from './softmax-cross-entropy.js';
import { floatValue, showShape } from './tensor.js';
import { weightsAsOutputs, weightsToInputs } from './weights.js';

const { ModelProto } = onnxProto.onnx;

/** Options of {@link makeTrainingModels}. */
export interface TrainingGraphOptions {
  /** Rows of a batch, an integer ≥ 1: the size of every axis that the model's inputs leave open. */
  readonly batch: number;
  /** The initializers to be trained. Default: all of float32 with more than one element. */
  readonly weights?: readonly string[];
  /** Name of the input for the labels, of the shape of the scores, each row summing to 1. Default `'labels'`. */
  readonly labels?: string;
  /** Name of the output for the loss. Default `'loss'`. */
  readonly loss?: string;
}

/** Three models, encoded, of which ONNX Runtime makes a session each. */
export interface TrainingModels {
  /** Inputs, labels and weights in; the loss and `<weight>_grad` of every weight out. */
  readonly training: Uint8Array<ArrayBuffer>;
  /** The given model with its weights as inputs, so that it may run on the buffers that are trained. */
  readonly forward: Uint8Array<ArrayBuffer>;
  /** Nothing in; the initial weights out. */
  readonly initial: Uint8Array<ArrayBuffer>;
}

/**
 * Makes what training needs of an inference model whose first output are class scores (logits, [N, K]): softmax
 * cross-entropy and the backward pass are appended, made of plain ONNX operators.
 *
 * @throws Error if the model has an operator without a gradient rule, or a weight that the scores do not depend on.
 */
export function makeTrainingModels(
  model: onnx.IModelProto,
  { batch, weights: names, labels = 'labels', loss = 'loss' }: TrainingGraphOptions,
): TrainingModels {
  if (!Number.isInteger(batch) || batch < 1) {
    throw new Error(`The batch is ${batch}; give an integer ≥ 1.`);
  }
  const { model: forward, weights } = weightsToInputs(model, names);
  const { model: training } = weightsToInputs(model, names);
  const graph = new Graph(training, batch);
  const { graph: proto } = training;
  const scores = proto!.output![0]!.name!;
  const shape = graph.shape(scores);
  if (shape.length !== 2)
    throw new Error(`The scores "${scores}" have shape ${showShape(shape)}; [N, K] is needed.`);
  graph.addInput(floatValue(labels, shape));
  const appended = appendSoftmaxCrossEntropy(graph, scores, labels, loss);
  const to = new Map([...weights.keys()].map((name) => [name, `${name}_grad`]));
  appendGradients(graph, { from: scores, seed: appended.gradient, to });

  // With every axis known, the runtime can plan its memory, and outputs can be allocated before they are computed.
  proto!.input = proto!.input!.map(({ name }) => floatValue(name!, graph.shape(name!)));
  proto!.output = [loss, ...to.values()].map((name) => floatValue(name, graph.shape(name)));
  return {
    training: encode(training),
    forward: encode(forward),
    initial: encode(weightsAsOutputs(weights, model)),
  };
}

/** A model's bytes. */
export function encode(model: onnx.IModelProto): Uint8Array<ArrayBuffer> {
  return new Uint8Array(ModelProto.encode(model).finish());
}
