/** Numbers and names in ONNX's protobuf messages. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';

/** Axes of a tensor, all known; `[]` is a single number. */
export type Shape = readonly number[];

/** One float32 tensor on the CPU. */
export interface Weight {
  readonly dims: Shape;
  readonly data: Float32Array<ArrayBuffer>;
}

const { DataType } = onnxProto.onnx.TensorProto;

/** Number of elements of a shape. */
export const elementCount = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** A shape in a message. */
export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** A float32 tensor as ONNX stores it: little endian, as every machine that runs WebGPU. */
export function floatTensor(name: string, { dims, data }: Weight): onnx.ITensorProto {
  return { name, dims: [...dims], dataType: DataType.FLOAT, rawData: bytesOf(data) };
}

/** A list of int64, as ONNX wants shapes and axes. */
export function integerTensor(name: string, values: readonly number[]): onnx.ITensorProto {
  const data = BigInt64Array.from(values, BigInt);
  return { name, dims: [values.length], dataType: DataType.INT64, rawData: bytesOf(data) };
}

/**
 * The numbers of a float32 tensor.
 *
 * @throws Error if it is of another type or its data lies in another file.
 */
export function readFloatTensor(tensor: onnx.ITensorProto): Weight {
  if (!isFloatTensor(tensor)) {
    throw new Error(
      `Initializer "${tensor.name}" is of type ${tensor.dataType}; only float32 can be trained.`,
    );
  }
  const dims = (tensor.dims ?? []).map(Number);
  const { rawData, floatData } = tensor;
  // A copy, for the bytes may lie at any offset in the model's.
  const data = rawData?.length
    ? new Float32Array(new Uint8Array(rawData).buffer)
    : Float32Array.from(floatData ?? []);
  if (data.length !== elementCount(dims)) {
    throw new Error(
      `Initializer "${tensor.name}" holds ${data.length} numbers, but its shape is ${showShape(dims)}; ` +
        'save the model with its data inside, not in a second file.',
    );
  }
  return { dims, data };
}

/** Whether a tensor is of float32, so that it may be a weight. */
export function isFloatTensor({ dataType }: onnx.ITensorProto): boolean {
  return dataType === DataType.FLOAT;
}

/** A graph's input or output of float32; an axis given as a string is open, under that name. */
export function floatValue(name: string, dims: readonly (number | string)[]): onnx.IValueInfoProto {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: DataType.FLOAT, shape: { dim } } } };
}

/** The axes of a graph's input, open ones as `batch`. */
export function shapeOf(value: onnx.IValueInfoProto, batch: number): Shape {
  const axes = value.type?.tensorType?.shape?.dim ?? [];
  return axes.map(({ dimValue }) => Number(dimValue ?? 0) || batch);
}

function bytesOf(data: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
