/** The networks of test/fixtures/recorded/onnx, with the gradients of the weights that were recorded among their outputs. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { appendGradients } from '../../onnx/gradients.js';
import { Graph } from '../../onnx/graph.js';
import { type Weight, floatValue } from '../../onnx/tensor.js';
import { weightsToInputs } from '../../onnx/weights.js';

export interface Numbers {
  readonly dims: number[];
  readonly data: number[];
}

/** A batch, the gradient that the backward pass begins with, the output, and what PyTorch's autograd gives in float64. */
export interface Recorded {
  readonly x: Numbers;
  readonly seed: Numbers;
  readonly y: Numbers;
  readonly gradients: Readonly<Record<string, Numbers>>;
}

/** A model of inputs `x`, `seed` and the weights, outputs `y` and `<weight>_grad`. */
export function withGradients(
  file: Uint8Array,
  { x, seed, gradients }: Recorded,
): { model: onnx.IModelProto; weights: ReadonlyMap<string, Weight>; isTokens: boolean } {
  const names = Object.keys(gradients);
  const { model, weights } = weightsToInputs(onnxProto.onnx.ModelProto.decode(file), names);
  const graph = new Graph(model, x.dims[0]!);
  graph.addInput(floatValue('seed', seed.dims));
  const to = new Map(names.map((weight) => [weight, `${weight}_grad`]));
  appendGradients(graph, { from: 'y', seed: 'seed', to });
  model.graph!.output = ['y', ...to.values()].map((value) => floatValue(value, graph.shape(value)));
  return { model, weights, isTokens: graph.elementType('x') !== graph.elementType('y') };
}

/** The largest difference, as a part of the largest number. */
export function difference(actual: ArrayLike<number>, { data }: Numbers): number {
  const largest = Math.max(...data.map((value) => Math.abs(value)));
  return Math.max(...data.map((value, i) => Math.abs(value - actual[i]!))) / largest;
}

/** In float32, a thousand roundings, were they all to one side. */
export const FLOAT32_ERROR = 1000 * 2 ** -24;
