/**
 * Networks as PyTorch exports them, in opsets 9 to 20: the gradients that onnx/ appends are those of PyTorch's own autograd; see
 * test/fixtures/recorded/onnx/export.py.
 */
import { readFile } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import { expect, test } from 'vitest';
import { appendGradients } from '../../onnx/gradients.js';
import { Graph } from '../../onnx/graph.js';
import { floatValue } from '../../onnx/tensor.js';
import { encode } from '../../onnx/training-graph.js';
import { weightsToInputs } from '../../onnx/weights.js';
import type { Array64 } from '../support/onnx-arrays.js';
import { evaluate } from '../support/onnx-evaluate.js';
import { withCpuModel } from '../support/onnx-run.js';

interface Numbers {
  readonly dims: number[];
  readonly data: number[];
}

interface Recorded {
  readonly x: Numbers;
  readonly seed: Numbers;
  readonly y: Numbers;
  readonly gradients: Readonly<Record<string, Numbers>>;
}

/**
 * Of the largest number. In float64, exported constants (an epsilon, √2) are off by half an ULP of float32, and nothing else is; in
 * float32, a thousand roundings that mostly cancel out.
 */
const FLOAT64_ERROR = 2 ** -24;
const FLOAT32_ERROR = 32 * 2 ** -24;

const folder = 'test/fixtures/recorded/onnx';

function expectClose(actual: ArrayLike<number>, { data }: Numbers, error: number, name: string): void {
  const largest = Math.max(...data.map((value) => Math.abs(value)));
  const off = Math.max(...data.map((value, i) => Math.abs(value - actual[i]!)));
  expect(off / largest, name).toBeLessThan(error);
}

test.each([
  ['lenet', 8],
  ['resnet', 20],
  ['text-classifier', 7],
  ['transformer-13', 18],
  ['transformer-17', 18],
  ['transformer-20', 18],
  ['decoder', 10],
])('%s: the gradients of %i weights', async (name, weightCount) => {
  const file = await readFile(`${folder}/${name}.onnx`);
  const { x, seed, y, gradients } = JSON.parse(await readFile(`${folder}/${name}.json`, 'utf8')) as Recorded;
  const names = Object.keys(gradients);
  expect(names.length).toBe(weightCount);

  const { model, weights } = weightsToInputs(onnxProto.onnx.ModelProto.decode(file), names);
  const graph = new Graph(model, x.dims[0]!);
  expect(graph.shape('y')).toEqual(y.dims);
  graph.addInput(floatValue('seed', seed.dims));
  const to = new Map(names.map((weight) => [weight, `${weight}_grad`]));
  appendGradients(graph, { from: 'y', seed: 'seed', to });
  model.graph!.output = ['y', ...to.values()].map((value) => floatValue(value, graph.shape(value)));

  const wide = ({ dims, data }: { dims: readonly number[]; data: ArrayLike<number> }): Array64 => ({
    dims,
    data: Float64Array.from(data),
  });
  const initial = Object.fromEntries([...weights].map(([weight, value]) => [weight, wide(value)]));
  const values = evaluate(model, { x: wide(x), seed: wide(seed), ...initial });
  expectClose(values['y']!.data, y, FLOAT64_ERROR, 'y');
  for (const weight of names)
    expectClose(values[`${weight}_grad`]!.data, gradients[weight]!, FLOAT64_ERROR, weight);

  const isTokens = graph.elementType('x') !== graph.elementType('y');
  await withCpuModel(encode(model), async (run) => {
    const outputs = await run({
      x: {
        dims: x.dims,
        data: isTokens ? BigInt64Array.from(x.data, BigInt) : Float32Array.from(x.data),
      } as never,
      seed: { dims: seed.dims, data: Float32Array.from(seed.data) },
      ...Object.fromEntries(weights),
    });
    expectClose(outputs['y']!.data, y, FLOAT32_ERROR, 'y');
    for (const weight of names)
      expectClose(outputs[`${weight}_grad`]!.data, gradients[weight]!, FLOAT32_ERROR, weight);
  });
});
