/** What the ONNX Runtime adapter refuses before anything is on a GPU. */
import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { checkGroups } from '../../src/adapters/onnxruntime/config.js';
import { OnnxTrainer } from '../../src/adapters/onnxruntime/index.js';
import { checkFeeds, findParameters } from '../../src/adapters/onnxruntime/parameters.js';
import { sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';

type Value = ort.InferenceSession.ValueMetadata;

const value = (name: string, shape: (number | string)[], type: ort.Tensor.Type = 'float32'): Value => ({
  name,
  isTensor: true,
  type,
  shape,
});

/** A graph of one parameter `w` [2, 3] and an input `x` with an open axis, with some values replaced. */
function graph(...others: Value[]): { inputMetadata: Value[]; outputMetadata: Value[] } {
  const replaced = (own: Value): Value => others.find(({ name }) => name === own.name) ?? own;
  return {
    inputMetadata: [value('x', ['rows', 2]), value('w', [2, 3])].map(replaced),
    outputMetadata: [value('loss', []), value('w_grad', [2, 3])].map(replaced),
  };
}

const six = new Float32Array(6);
const tensor = (type: 'float32' | 'int32', dims: number[]): ort.Tensor =>
  type === 'int32'
    ? new ort.Tensor(type, new Int32Array(dims.reduce((a, b) => a * b, 1)), dims)
    : new ort.Tensor(type, new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);

test.for<[string, () => unknown]>([
  ['; give the weights by the names', () => findParameters(graph(), {})],
  ['parameters is undefined', () => findParameters(graph(), undefined as never)],
  ['the graph has no such input; it has "x", "w"', () => findParameters(graph(), { v: six })],
  [
    'the graph has no output "dw" for its gradient; it has "loss", "w_grad", or say with gradientName',
    () => findParameters(graph(), { w: six }, (name) => `d${name}`),
  ],
  ['shape is [rows, 2]; make', () => findParameters(graph(), { x: six }, () => 'loss')],
  ['has it as float16', () => findParameters(graph(value('w', [2, 3], 'float16')), { w: six })],
  ['gradient as float16', () => findParameters(graph(value('w_grad', [2, 3], 'float16')), { w: six })],
  [
    'is [2, 3], but that of its gradient "w_grad" is [3, 2]',
    () => findParameters(graph(value('w_grad', [3, 2])), { w: six }),
  ],
  [
    'is [2, 3], but that of its gradient "w_grad" is [2]',
    () => findParameters(graph(value('w_grad', [2])), { w: six }),
  ],
  [
    '5 numbers are given; the graph takes float32 [2, 3]',
    () => findParameters(graph(), { w: new Float32Array(5) }),
  ],
  ['a tensor of float32 [3, 2] is given', () => findParameters(graph(), { w: tensor('float32', [3, 2]) })],
  ['a tensor of int32 [2, 3] is given', () => findParameters(graph(), { w: tensor('int32', [2, 3]) })],
  ['"w" is [1, 2]; give a Float32Array', () => findParameters(graph(), { w: [1, 2] as never })],
  [
    '"y" is not to be fed; this graph takes "x"',
    () => checkFeeds({ y: tensor('float32', [1]) }, [value('x', [1])]),
  ],
  ['"w" is not to be fed', () => checkFeeds({ w: tensor('float32', [1]) }, [value('x', [1])])],
  ['input "x" is undefined; feed a tensor', () => checkFeeds({}, [value('x', [1])])],
  [
    '"x" is int32 [4, 2]; this graph takes float32 [rows, 2]',
    () => checkFeeds({ x: tensor('int32', [4, 2]) }, [value('x', ['rows', 2])]),
  ],
  [
    '"x" is float32 [4, 3]; this',
    () => checkFeeds({ x: tensor('float32', [4, 3]) }, [value('x', ['rows', 2])]),
  ],
  [
    '"y" is int64 [4]; this graph takes float32 [4, 3]; of class indices, webgpu-optim-onnx --label-type int64 makes a graph.',
    () => checkFeeds({ y: new ort.Tensor('int64', new BigInt64Array(4), [4]) }, [value('y', [4, 3])]),
  ],
  [
    '"y" is int32 [4]; this graph takes float32 [4, 3]; of class indices, webgpu-optim-onnx --label-type int64 makes a graph.',
    () => checkFeeds({ y: tensor('int32', [4]) }, [value('y', [4, 3])]),
  ],
  [
    '"y" is float32 [4, 3]; this graph takes int64 [4]; of a row of numbers for each, webgpu-optim-onnx --label-type float32',
    () => checkFeeds({ y: tensor('float32', [4, 3]) }, [value('y', [4], 'int64')]),
  ],
  [
    `"y" is int32 [4]; this graph takes int64 [4]; give new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape).`,
    () => checkFeeds({ y: tensor('int32', [4]) }, [value('y', [4], 'int64')]),
  ],
  [
    '"x" is float32 [4, 2]; this graph takes float32 [8, 2]; fill it up, with weights of 0 as webgpu-optim-onnx --row-weights',
    () => checkFeeds({ x: tensor('float32', [4, 2]) }, [value('x', [8, 2])]),
  ],
  [
    '"x" is float32 [9, 2]; this graph takes float32 [8, 2].',
    () => checkFeeds({ x: tensor('float32', [9, 2]) }, [value('x', [8, 2])]),
  ],
  [
    '"x" is float32 []; this graph takes float32 [8].',
    () => checkFeeds({ x: tensor('float32', []) }, [value('x', [8])]),
  ],
  ['unknown option "parameters"', () => checkGroups([{ params: ['a'], parameters: ['b'] }], sgd())],
  ['groups[0] is null', () => checkGroups([null as never], sgd())],
  [
    'unknown option "clip"',
    () => OnnxTrainer.create(ort, '', { rule: sgd(), parameters: {}, clip: 1 } as never),
  ],
  ['rule is undefined', () => OnnxTrainer.create(ort, '', { parameters: {} } as never)],
  [
    'ONNX Runtime (undefined) has no tensors in GPU buffers',
    () => OnnxTrainer.create(undefined as never, '', { rule: sgd(), parameters: {} }),
  ],
  [
    'ONNX Runtime "1.2.3" has no tensors in GPU buffers; give the module onnxruntime-web/webgpu, version 1.30',
    () =>
      OnnxTrainer.create({ env: { versions: { web: '1.2.3' } } } as never, '', {
        rule: sgd(),
        parameters: {},
      }),
  ],
  ['the config is undefined', () => OnnxTrainer.create(ort, '', undefined as never)],
  ['the model is 5; give', () => OnnxTrainer.create(ort, 5 as never, { rule: sgd(), parameters: {} })],
  ...[{}, { inputMetadata: [] }, { outputMetadata: [] }].map((described): [string, () => unknown] => [
    'does not describe inputs and outputs of a session; give the module onnxruntime-web/webgpu, version 1.30',
    () => OnnxTrainer.create(ort, { run() {}, ...described } as never, { rule: sgd(), parameters: {} }),
  ]),
  [
    '"w": its tensor is at "none"; give one on the CPU or in a GPU buffer',
    () => {
      const gone = tensor('float32', [2, 3]);
      gone.dispose();
      return findParameters(graph(), { w: gone });
    },
  ],
])('refused: %s', async ([message, call]) => {
  expect((await errorOf(call)).message).toContain(message);
});

test('a session without a WebGPU device is refused', async () => {
  const session = { run() {}, ...graph() };
  const error = await errorOf(() =>
    OnnxTrainer.create(ort, session as never, { rule: sgd(), parameters: { w: six } }),
  );
  expect(error.code).toBe('invalid-config');
  expect(error.message).toContain('no session of this runtime computes on WebGPU');
});

test('parameters are found with their gradients, and grouped', () => {
  const [found] = findParameters(graph(value('w_grad', ['n', 3])), { w: six });
  expect(found).toEqual({ name: 'w', gradient: 'w_grad', dims: [2, 3], initial: six });
  const params = ['a', 'b', 'c'].map((name) => ({ name }));
  for (const named of [{ params: ['b'] }, { parameters: ['b'] }]) {
    const grouped = checkGroups([{ ...named, lr: 1 }], sgd()).assignAll(params);
    expect(grouped).toEqual([
      { rank: 0, overrides: { lr: 1 }, params: [{ name: 'b' }] },
      { rank: 1, overrides: {}, params: [{ name: 'a' }, { name: 'c' }] },
    ]);
  }
});
