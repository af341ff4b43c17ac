/** Gradients where a function has none of its own: at kinks and ties, what is chosen. */
import { expect, test } from 'vitest';
import { encode } from '../../onnx/training-graph.js';
import { type Case, differentiate } from '../support/onnx-cases.js';
import { type Weights, withCpuModel } from '../support/onnx-run.js';

const line = (...values: number[]) => ({ dims: [values.length], data: Float32Array.from(values) });

/** What `a` gets where the gradient behind is `seed`. */
async function gradient(one: Case, feeds: Weights, opset = 13): Promise<number[]> {
  const { model } = differentiate(one, opset);
  return await withCpuModel(encode(model), async (run) => {
    // Adding 0 makes −0 a 0.
    return [...(await run(feeds))['a_grad']!.data].map((value) => value + 0);
  });
}

const ones = line(1, 1, 1, 1, 1);

test.each([
  ['Relu', {}, line(-1, -0, 0, 0.5, 2), [0, 0, 0, 1, 1]],
  ['LeakyRelu', { alpha: { f: 0.25 } }, line(-1, -0, 0, 0.5, 2), [0.25, 0.25, 0.25, 1, 1]],
  ['Abs', {}, line(-1, -0, 0, 0.5, 2), [-1, 0, 0, 1, 1]],
])('%s at 0', async (opType, attributes, a, want) => {
  const one: Case = { inputs: { a: [5] }, nodes: [[opType, ['a'], attributes]] };
  // Until opset 9, there is no Where.
  for (const opset of [7, 13]) expect(await gradient(one, { a, seed: ones }, opset)).toEqual(want);
});

test('Clip lets gradients through at its limits', async () => {
  const one: Case = { inputs: { a: [5] }, nodes: [['Clip', ['a'], { min: { f: -1 }, max: { f: 1 } }]] };
  expect(await gradient(one, { a: line(-2, -1, 0, 1, 2), seed: ones }, 7)).toEqual([0, 1, 1, 1, 0]);
});

test('powers of 0, and powers with exponent 0', async () => {
  const one: Case = { inputs: { a: [5], b: [5] }, frozen: ['b'], nodes: [['Pow', ['a', 'b']]] };
  const feeds = { a: line(0, 0, 0, 2, -2), b: line(0, 1, 2, 0, 3), seed: ones };
  expect(await gradient(one, feeds)).toEqual([0, 1, 0, 0, 12]);
});

test('ReduceMax and ReduceMin share among ties', async () => {
  for (const [opType, values] of [
    ['ReduceMax', [3, 1, 3, 2, 3]],
    ['ReduceMin', [0, 1, 0, 2, 0]],
  ] as const) {
    const one: Case = { inputs: { a: [5] }, nodes: [[opType, ['a'], { keepdims: 0 }]] };
    const feeds = { a: line(...values), seed: { dims: [], data: Float32Array.of(6) } };
    expect(await gradient(one, feeds)).toEqual([2, 0, 2, 0, 2]);
  }
});

test('MaxPool gives all to the first of a tie, and nothing to its padding', async () => {
  const attributes = { kernel_shape: [2, 2], strides: [1, 1], pads: [1, 0, 0, 0] };
  const one: Case = { inputs: { a: [1, 1, 3, 3] }, nodes: [['MaxPool', ['a'], attributes]] };
  // Behind a relu, most ties are zeros, as padding is in a convolution.
  const a = { dims: [1, 1, 3, 3], data: Float32Array.of(0, 0, 0, -1, 5, 5, -3, -3, -2) };
  const seed = { dims: [1, 1, 3, 2], data: Float32Array.of(1, 2, 4, 8, 16, 32) };
  for (const opset of [8, 13]) {
    // Windows: (0 0), (0 0), (0 0 −1 5), (0 0 5 5), (−1 5 −3 −3), (5 5 −3 −2).
    expect(await gradient(one, { a, seed }, opset)).toEqual([1, 2, 0, 0, 4 + 8 + 16 + 32, 0, 0, 0, 0]);
  }
});
