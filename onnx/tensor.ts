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

/** Types of the inputs that a loss takes. */
export type ValueType = 'float32' | 'int64';

/** ONNX's numbers for types. */
export const { DataType, DataLocation } = onnxProto.onnx.TensorProto;

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

/** A tensor of int32. */
export function int32Tensor(
  name: string,
  { dims, data }: { readonly dims: Shape; readonly data: Int32Array },
): onnx.ITensorProto {
  return { name, dims: [...dims], dataType: DataType.INT32, rawData: bytesOf(data) };
}

/**
 * The numbers of a tensor of int64, int32 or conditions, in whichever of its fields they lie; none of one of another type.
 *
 * @throws Error if its data lies in another file.
 */
export function readIntegers(tensor: onnx.ITensorProto): readonly number[] | undefined {
  const { dataType, rawData, int64Data, int32Data } = tensor;
  const arrays = {
    [DataType.INT64]: BigInt64Array,
    [DataType.INT32]: Int32Array,
    [DataType.BOOL]: Uint8Array,
  };
  const array = arrays[dataType as keyof typeof arrays];
  if (!array) return undefined;
  rejectOutside(tensor);
  // A copy, for the bytes may lie at any offset in the model's.
  if (rawData?.length) return [...new array(new Uint8Array(rawData).buffer)].map(Number);
  return ((dataType === DataType.INT64 ? int64Data : int32Data) ?? []).map(Number);
}

/**
 * The shape that a Reshape makes: −1 stands for what is left, 0 for the input's axis at that place.
 *
 * @param allowZero whether 0 is a size instead, as the attribute `allowzero` says.
 * @throws Error if the numbers of elements do not go together.
 */
export function resolveReshape(input: Shape, target: readonly number[], allowZero = false): Shape {
  const copied = target.map((size, axis) => (size === 0 && !allowZero ? (input[axis] ?? 0) : size));
  const known = elementCount(copied.filter((size) => size !== -1));
  const shape = copied.map((size) => (size === -1 ? elementCount(input) / known : size));
  if (shape.every(Number.isInteger) && elementCount(shape) === elementCount(input)) return shape;
  throw new Error(`shape ${showShape(input)} cannot become ${showShape(target)}.`);
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
  rejectOutside(tensor);
  const dims = (tensor.dims ?? []).map(Number);
  const { rawData, floatData } = tensor;
  // A copy, for the bytes may lie at any offset in the model's.
  const data = rawData?.length
    ? new Float32Array(new Uint8Array(rawData).buffer)
    : Float32Array.from(floatData ?? []);
  if (data.length !== elementCount(dims)) {
    throw new Error(
      `Initializer "${tensor.name}" holds ${data.length} numbers, but its shape is ${showShape(dims)}; export the model again.`,
    );
  }
  return { dims, data };
}

/** Whether a tensor is of float32, so that it may be a weight. */
export function isFloatTensor({ dataType }: onnx.ITensorProto): boolean {
  return dataType === DataType.FLOAT;
}

/** A graph's input or output; an axis given as a string is open, under that name. */
export function valueOf(
  name: string,
  type: ValueType,
  dims: readonly (number | string)[],
): onnx.IValueInfoProto {
  const elemType = { float32: DataType.FLOAT, int64: DataType.INT64 }[type];
  return withDims({ name, type: { tensorType: { elemType } } }, dims);
}

/** A graph's input or output of float32. */
export const floatValue = (name: string, dims: readonly (number | string)[]): onnx.IValueInfoProto =>
  valueOf(name, 'float32', dims);

/** A graph's input or output with other axes, of the type that it has. */
export function withDims(
  { name, type }: onnx.IValueInfoProto,
  dims: readonly (number | string)[],
): onnx.IValueInfoProto {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name: name!, type: { tensorType: { ...type?.tensorType, shape: { dim } } } };
}

/** The axes of a graph's value, as the model declares them. */
export const axesOf = (value: onnx.IValueInfoProto): onnx.TensorShapeProto.IDimension[] =>
  value.type?.tensorType?.shape?.dim ?? [];

/** The sizes of the axes of a graph's input, of open ones `batch`. */
export const shapeOf = (value: onnx.IValueInfoProto, batch: number): Shape =>
  axesOf(value).map(({ dimValue }) => Number(dimValue ?? 0) || batch);

/** @throws Error naming the file that a tensor's data lies in, if it is not in the model. */
export function rejectOutside({ name, dataLocation, externalData }: onnx.ITensorProto): void {
  if (dataLocation !== DataLocation.EXTERNAL) return;
  const file = externalData?.find(({ key }) => key === 'location')?.value ?? 'another file';
  throw new Error(
    `The data of initializer "${name}" lies in "${file}"; save the model with its data inside ` +
      '(onnx.save(onnx.load(path), path, save_as_external_data=False)).',
  );
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
