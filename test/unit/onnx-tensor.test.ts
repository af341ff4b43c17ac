/** Numbers and shapes in ONNX's messages, in each of the forms that exporters write. */
import onnxProto from 'onnx-proto';
import { expect, test } from 'vitest';
import { integerTensor, readFloatTensor, readIntegers, resolveReshape } from '../../onnx/tensor.js';

const { DataLocation, DataType } = onnxProto.onnx.TensorProto;

test.for<[string, number[], number[], boolean, number[]]>([
  ['what is left', [4, 28, 28], [-1, 784], false, [4, 784]],
  ['an axis that is copied', [4, 28, 28], [0, 784], false, [4, 784]],
  ['both', [4, 6, 5], [0, -1, 3], false, [4, 10, 3]],
  ['a copied axis that is not the first', [4, 6, 5], [2, 0, -1], false, [2, 6, 10]],
  ['a single number', [1, 1], [], false, []],
  ['no elements', [0, 3], [0, 3], true, [0, 3]],
])('a shape is resolved: %s', ([, input, target, allowZero, shape]) => {
  expect(resolveReshape(input, target, allowZero)).toEqual(shape);
});

test.for<[number[], number[], boolean]>([
  [[4, 5], [3, -1], false],
  [[4, 5], [4, 4], false],
  [[4, 5], [0, 5], true],
  [[4, 5], [4, 5, 0], false],
])('%j cannot become %j (allowzero: %j)', ([input, target, allowZero]) => {
  const message = `shape [${input.join(', ')}] cannot become [${target.join(', ')}].`;
  expect(() => resolveReshape(input, target, allowZero)).toThrow(message);
});

test('integers are read from each field, and of each width', () => {
  const values = [-1, 0, 784, -(2 ** 31)];
  const int32 = { dims: [4], dataType: DataType.INT32 };
  for (const tensor of [
    integerTensor('shape', values),
    { dims: [4], dataType: DataType.INT64, int64Data: values },
    { ...int32, int32Data: values },
    { ...int32, rawData: new Uint8Array(Int32Array.from(values).buffer) },
  ]) {
    // As a decoder gives them: int64 as objects of its own, bytes at an odd place of the file's.
    const bytes = onnxProto.onnx.TensorProto.encode({ name: 'odd', ...tensor }).finish();
    expect(readIntegers(onnxProto.onnx.TensorProto.decode(bytes))).toEqual(values);
  }
  expect(readIntegers({ dims: [1], dataType: DataType.FLOAT, floatData: [1] })).toBeUndefined();
});

test('data in another file is refused, with its name', () => {
  const outside = {
    name: 'fc.weight',
    dims: [2],
    dataLocation: DataLocation.EXTERNAL,
    externalData: [{ key: 'location', value: 'model.onnx.data' }],
  };
  const message =
    'The data of initializer "fc.weight" lies in "model.onnx.data"; save the model with its data';
  expect(() => readFloatTensor({ ...outside, dataType: DataType.FLOAT })).toThrow(message);
  expect(() => readIntegers({ ...outside, dataType: DataType.INT64 })).toThrow(message);
});
