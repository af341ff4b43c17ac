import type { onnx } from 'onnx-proto';
import { type RandomSource, sampleNormals } from '../lab/random.js';
import { type Weight, floatTensor, floatValue } from './tensor.js';

/** The opset of 2021, which every version of ONNX Runtime with WebGPU has. */
const OPSET = 13;
const IR_VERSION = 8;

/**
 * A multilayer perceptron as an inference model: `x` [batch, sizes[0]] → `scores` [batch, last size], with relu between the
 * layers. Weights `w1`, `b1`, `w2`, … begin as He et al. (2015) have it: normal with variance 2/inputs, biases zero.
 *
 * @param sizes widths of the layers, from the inputs to the outputs; at least two.
 */
export function makeMlp(sizes: readonly number[], random: RandomSource): onnx.IModelProto {
  const node: onnx.INodeProto[] = [];
  const initializer: onnx.ITensorProto[] = [];
  const add = (opType: string, input: string[], output: string): string => {
    node.push({ opType, name: output, input, output: [output] });
    return output;
  };
  const weight = (name: string, value: Weight): string => {
    initializer.push(floatTensor(name, value));
    return name;
  };
  let value = 'x';
  for (let layer = 1; layer < sizes.length; layer++) {
    const [inputs, outputs] = [sizes[layer - 1]!, sizes[layer]!];
    const deviation = Math.sqrt(2 / inputs);
    const normal = sampleNormals(random, inputs * outputs, deviation);
    const w = weight(`w${layer}`, { dims: [inputs, outputs], data: normal });
    const b = weight(`b${layer}`, { dims: [outputs], data: new Float32Array(outputs) });
    const product = add('MatMul', [value, w], `product${layer}`);
    const isLast = layer === sizes.length - 1;
    const sum = add('Add', [product, b], isLast ? 'scores' : `sum${layer}`);
    value = isLast ? sum : add('Relu', [sum], `hidden${layer}`);
  }
  return {
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'mlp',
      node,
      initializer,
      input: [floatValue('x', ['batch', sizes[0]!])],
      output: [floatValue('scores', ['batch', sizes.at(-1)!])],
    },
  };
}
