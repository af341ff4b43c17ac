/** Trained weights, put back into inference models: in the bytes, and with ONNX Runtime. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { expect, inject, test } from 'vitest';
import { putWeights } from '../../src/adapters/onnxruntime/index.js';
import { f16 } from '../../src/codecs/f16.js';
import { createRandom } from '../../lab/random.js';
import { makeMlp } from '../../onnx/mlp.js';
import { floatTensor, integerTensor } from '../../onnx/tensor.js';
import { encode } from '../../onnx/training-graph.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { errorOf } from '../support/error-of.js';
import { withCpuModel } from '../support/onnx-run.js';

const { ModelProto, TensorProto } = onnxProto.onnx;
const { DataLocation, DataType } = TensorProto;
const random = new Random(inject('seed'));
const draw = (length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, () => random.uniform() - 0.5);

/** A perceptron 6-5-3 with what an exporter may write beside it. */
function mlp(
  seed: number,
  change: (tensors: onnx.ITensorProto[]) => void = () => undefined,
): onnx.IModelProto {
  const model = makeMlp([6, 5, 3], createRandom(seed));
  model.producerName = 'ä test';
  model.metadataProps = [{ key: 'origin', value: 'here' }];
  model.graph!.docString = 'a text behind the weights';
  model.graph!.initializer!.push({ ...integerTensor('shape', [2 ** 40, 3]), docString: 'unused' });
  change(model.graph!.initializer!);
  return model;
}

test('only the numbers that are given change, of whatever bytes the model has', () => {
  const [given, wanted] = [mlp(1), mlp(2)];
  // A field that this version of the format does not know, at the end.
  const unknown = Uint8Array.of(0xfa, 0x7f, 3, 1, 2, 3);
  const bytes = Uint8Array.from([...encode(given), ...unknown]);
  const weights = Object.fromEntries(
    wanted
      .graph!.initializer!.slice(0, 4)
      .map(({ name, rawData }) => [name!, new Float32Array(new Uint8Array(rawData!).buffer)]),
  );
  const made = putWeights(bytes, weights);
  expect(Buffer.compare(made, Uint8Array.from([...encode(wanted), ...unknown]))).toBe(0);
  // In a buffer of its own; what was given is as it was.
  expect(Buffer.compare(bytes.subarray(0, -6), encode(mlp(1)))).toBe(0);
  expect(Buffer.compare(putWeights(bytes.buffer, weights), made)).toBe(0);
});

test('numbers in other fields, of float16, and beyond a length of one byte are exchanged', () => {
  const initial = mlp(1, (tensors) => {
    const [w1, b1] = tensors as [onnx.ITensorProto, onnx.ITensorProto];
    w1.floatData = [...new Float32Array(new Uint8Array(w1.rawData!).buffer)];
    delete w1.rawData;
    // Bytes whose length is the first that takes two bytes.
    tensors.push(floatTensor('longer', { dims: [32], data: draw(32) }));
    Object.assign(b1, { dataType: DataType.FLOAT16, int32Data: [1, 2, 3, 4, 5], rawData: undefined });
  });
  const [w1, b1, longer] = [draw(30), draw(5), draw(32)];
  b1.set([NaN, Infinity, 1e-8, 65519]);
  const { graph } = ModelProto.decode(putWeights(encode(initial), { w1, b1, longer }));
  const [first, second, third] = graph!.initializer!;
  expect([first!.floatData, second!.int32Data]).toEqual([[], []]);
  expect(bitDifference(new Float32Array(new Uint8Array(first!.rawData!).buffer), w1)).toBeUndefined();
  const last = new Float32Array(new Uint8Array(graph!.initializer!.at(-1)!.rawData!).buffer);
  expect(bitDifference(last, longer)).toBeUndefined();
  const halves = new Uint8Array(second!.rawData!);
  expect(halves.length).toBe(10);
  const rounded = f16.decode(halves.buffer, 5);
  expect([...rounded]).toEqual([NaN, Infinity, 0, 65504, f16.round!(b1[4]!)]);
  expect(third!.rawData).toEqual(ModelProto.decode(encode(initial)).graph!.initializer![2]!.rawData);
});

test('weights may have any names', () => {
  const names = ['__proto__', 'constructor', 'a/b.c:0', '\uFEFFключ 鍵 \u{1F511}', ' ', 'a\n"b"'];
  const modelOf = (value: number): Uint8Array<ArrayBuffer> =>
    encode(
      mlp(1, (tensors) => {
        for (const name of names) {
          tensors.push(floatTensor(name, { dims: [2], data: Float32Array.of(value, value) }));
        }
      }),
    );
  const weights = Object.fromEntries(names.map((name) => [name, Float32Array.of(3, 3)]));
  expect(Buffer.compare(putWeights(modelOf(1), weights), modelOf(3))).toBe(0);
});

test('ONNX Runtime computes with the new weights', async () => {
  const x = { dims: [2, 6], data: draw(12) };
  const scores = async (model: Uint8Array<ArrayBuffer>): Promise<Float32Array> =>
    await withCpuModel(model, async (run) => (await run({ x }))['scores']!.data);
  const [given, wanted] = [makeMlp([6, 5, 3], createRandom(1)), makeMlp([6, 5, 3], createRandom(2))];
  const weights = Object.fromEntries(
    wanted.graph!.initializer!.map(({ name, rawData }) => [
      name!,
      new Float32Array(new Uint8Array(rawData!).buffer),
    ]),
  );
  const made = await scores(putWeights(encode(given), weights));
  expect(bitDifference(made, await scores(encode(wanted)))).toBeUndefined();
  expect(bitDifference(made, await scores(encode(given)))).toBeDefined();
});

const model = encode(mlp(1));
const of = (change: (tensor: onnx.ITensorProto) => void): Uint8Array =>
  encode(mlp(1, (tensors) => change(tensors[1]!)));
const b1 = new Float32Array(5);
test.for<[string, string, () => unknown]>([
  [
    'invalid-parameter',
    'no initializer "b9"; it has "w1", "b1", "w2", "b2"',
    () => putWeights(model, { b1, b9: b1 }),
  ],
  ['invalid-parameter', 'no initializer "b1"; it has none', () => putWeights(new Uint8Array(), { b1 })],
  [
    'invalid-parameter',
    'initializer "b1" has shape [5], but 4 numbers are given',
    () => putWeights(model, { b1: b1.subarray(1) }),
  ],
  [
    'invalid-parameter',
    'initializer "b1" is of ONNX\'s type 11; only float32 and float16',
    () =>
      putWeights(
        of((tensor) => (tensor.dataType = DataType.DOUBLE)),
        { b1 },
      ),
  ],
  [
    'invalid-parameter',
    'initializer "b1" is of float16, but element 2 is -65520; save the model in float32',
    () =>
      putWeights(
        of((tensor) => (tensor.dataType = DataType.FLOAT16)),
        { b1: b1.with(2, -65520) },
      ),
  ],
  [
    'invalid-parameter',
    'the data of initializer "b1" lies in another file; save the model with its data inside',
    () =>
      putWeights(
        of((tensor) => (tensor.dataLocation = DataLocation.EXTERNAL)),
        { b1 },
      ),
  ],
  [
    'invalid-parameter',
    'the weights "b1" are [1, 2]; give a Float32Array',
    () => putWeights(model, { b1: [1, 2] as never }),
  ],
  [
    'invalid-parameter',
    'weights is undefined; give numbers by the names',
    () => putWeights(model, undefined as never),
  ],
  ['invalid-parameter', '; give numbers by the names', () => putWeights(model, {})],
  [
    'invalid-config',
    'the model is "model.onnx"; give an ONNX file\'s bytes',
    () => putWeights('model.onnx' as never, { b1 }),
  ],
  [
    'invalid-config',
    'or cut short: there is a field beyond the end',
    () => putWeights(model.subarray(0, -3), { b1 }),
  ],
  [
    'invalid-config',
    'or cut short: there is an integer beyond the end',
    () => putWeights(model.subarray(0, 1), { b1 }),
  ],
  [
    'invalid-config',
    'there is a field of type 3; give a whole ONNX file',
    () => putWeights(new TextEncoder().encode('{"graph": []}'), { b1 }),
  ],
])('refused, %s: %s', async ([code, message, call]) => {
  const error = await errorOf(call);
  expect(error.code).toBe(code);
  expect(error.message).toContain(message);
});
