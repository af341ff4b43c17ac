import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { type AxisOptions, settleAxes } from './axes.js';
import { toFloat32 } from './float16.js';
import { appendGradients } from './gradients.js';
import { Graph } from './graph.js';
import { type LossOptions, appendLoss } from './losses/registry.js';
import { floatValue, withDims } from './tensor.js';
import { weightsAsOutputs, weightsToInputs } from './weights.js';

const { ModelProto } = onnxProto.onnx;

/** Options of {@link makeTrainingModels}. */
export interface TrainingGraphOptions extends LossOptions, AxisOptions {
  /** The initializers to be trained. Default: all of float32 with more than one element. */
  readonly weights?: readonly string[];
  /** The output that the loss is of, or any other value in the model: the scores in front of a softmax. Default: the first output. */
  readonly output?: string;
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
 * Makes what training needs of an inference model: a loss of one of its outputs and the backward pass are appended, made of
 * plain ONNX operators.
 *
 * @throws Error if the model has an operator without a gradient rule, or a weight that the output does not depend on; as
 *   {@link appendLoss}.
 */
export function makeTrainingModels(
  given: onnx.IModelProto,
  { batch, axes, weights: names, output: wanted, ...options }: TrainingGraphOptions,
): TrainingModels {
  const { fixed, open } = settleAxes(toFloat32(given), {
    ...(batch !== undefined && { batch }),
    ...(axes && { axes }),
  });
  const { model: forward, weights } = weightsToInputs(open, names);
  const { model: training } = weightsToInputs(fixed, names);
  // All sizes are known by now.
  const graph = new Graph(training, 1);
  const output = findOutput(graph, wanted);
  const { graph: proto } = training;
  const { loss, gradient } = appendLoss(graph, output, options);
  const to = new Map([...weights.keys()].map((name) => [name, `${name}_grad`]));
  appendGradients(graph, { from: output, seed: gradient, to });

  // With every axis known, the runtime can plan its memory, and outputs can be allocated before they are computed.
  proto!.input = proto!.input!.map((value) => withDims(value, graph.shape(value.name!)));
  proto!.valueInfo = [];
  proto!.output = [loss, ...to.values()].map((name) => floatValue(name, graph.shape(name)));
  return {
    training: encode(training),
    forward: encode(forward),
    initial: encode(weightsAsOutputs(weights, given)),
  };
}

function findOutput({ nodes, outputs }: Graph, wanted = outputs[0]!): string {
  if (outputs.includes(wanted) || nodes.some(({ output }) => output!.includes(wanted))) return wanted;
  throw new Error(`The model has no output "${wanted}"; it has ${outputs.join(', ')}.`);
}

/** A model's bytes. */
export function encode(model: onnx.IModelProto): Uint8Array<ArrayBuffer> {
  return new Uint8Array(ModelProto.encode(model).finish());
}
