/** Weights in and out of ONNX models: a model to be trained has them as inputs, one to be shipped as initializers. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { type Weight, floatTensor, floatValue, isFloatTensor, readFloatTensor } from './tensor.js';

const { ModelProto } = onnxProto.onnx;

/** A copy of a model, for the caller to change. */
export function copyModel(model: onnx.IModelProto): onnx.ModelProto {
  return ModelProto.decode(ModelProto.encode(model).finish());
}

/**
 * Turns initializers into inputs.
 *
 * @param names which; default all of float32 with more than one element, as the others are constants of formulas, but for
 *   running means and variances.
 * @returns the model, and the numbers that the initializers had.
 * @throws Error if there is no such initializer, it is not of float32, or there is none at all.
 */
export function weightsToInputs(
  model: onnx.IModelProto,
  names?: readonly string[],
): { model: onnx.ModelProto; weights: Map<string, Weight> } {
  const changed = copyModel(model);
  const graph = changed.graph!;
  const initializers = graph.initializer!;
  const statistics = runningStatistics(graph);
  const chosen =
    names ??
    initializers
      .filter((tensor) => isFloatTensor(tensor) && readFloatTensor(tensor).data.length > 1)
      .map(({ name }) => name!)
      .filter((name) => !statistics.has(name));
  if (chosen.length === 0) {
    throw new Error(
      'The model has no initializers of float32 or float16 with several elements, so nothing to train; ' +
        'export it with its weights as such, not as Constant nodes, nor as float64 or whole numbers.',
    );
  }
  const weights = new Map<string, Weight>();
  for (const name of chosen) {
    const tensor = initializers.find((other) => other.name === name);
    if (!tensor) {
      const known = initializers.map((other) => other.name).join(', ');
      throw new Error(`The model has no initializer "${name}"; it has ${known}.`);
    }
    weights.set(name, readFloatTensor(tensor));
  }
  graph.initializer = initializers.filter(({ name }) => !weights.has(name!));
  // Old exporters list initializers among the inputs, too.
  graph.input = graph.input!.filter(({ name }) => !weights.has(name!));
  for (const [name, { dims }] of weights) graph.input.push(floatValue(name, dims));
  return { model: changed, weights };
}

/** The means and variances by which batch normalization works in inference. */
function runningStatistics({ node }: onnx.IGraphProto): ReadonlySet<string> {
  const nodes = node!.filter(({ opType }) => opType === 'BatchNormalization');
  return new Set(nodes.flatMap(({ input }) => input!.slice(3, 5)));
}

/** A model without inputs whose outputs are the weights: what begins a training, in a form that any runtime reads. */
export function weightsAsOutputs(
  weights: ReadonlyMap<string, Weight>,
  { irVersion, opsetImport }: onnx.IModelProto,
): onnx.IModelProto {
  const entries = [...weights];
  let prefix = 'initial/';
  while (entries.some(([name]) => name.startsWith(prefix))) prefix += 'initial/';
  const initial = (name: string): string => `${prefix}${name}`;
  return {
    ...(irVersion == null ? {} : { irVersion }),
    ...(opsetImport ? { opsetImport } : {}),
    graph: {
      name: 'weights',
      initializer: entries.map(([name, weight]) => floatTensor(initial(name), weight)),
      node: entries.map(([name]) => ({ opType: 'Identity', name, input: [initial(name)], output: [name] })),
      output: entries.map(([name, { dims }]) => floatValue(name, dims)),
    },
  };
}
