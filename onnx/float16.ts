import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { f16 } from '../src/codecs/f16.js';
import { DataType, elementCount, floatTensor, rejectOutside } from './tensor.js';
import { copyModel } from './weights.js';

const { AttributeProto } = onnxProto.onnx;
/** A number, for attributes have them. */
const FLOAT16: number = DataType.FLOAT16;

/**
 * A model of float16 as one of float32: training adds up changes that float16 would round away. Numbers stay the same; what is
 * computed with them is rounded less. A model without float16 is given back as it is.
 */
export function toFloat32(model: onnx.IModelProto): onnx.IModelProto {
  const changed = copyModel(model);
  return convertGraph(changed.graph!) ? changed : model;
}

/** Changes a graph in place, and says whether there was anything to change. */
function convertGraph(graph: onnx.IGraphProto): boolean {
  const { initializer = [], node = [], input = [], output = [], valueInfo = [] } = graph;
  const values = [...input!, ...output!, ...valueInfo!];
  return [
    ...initializer!.map((tensor, k) => convertTensor(tensor, (converted) => (initializer![k] = converted))),
    ...values.map(convertValue),
    ...node!.flatMap((one) => (one.attribute ?? []).map((attribute) => convertAttribute(one, attribute))),
  ].includes(true);
}

function convertTensor(tensor: onnx.ITensorProto, replace: (converted: onnx.ITensorProto) => void): boolean {
  if (tensor.dataType !== FLOAT16) return false;
  rejectOutside(tensor);
  const { name, rawData, int32Data } = tensor;
  const dims = (tensor.dims ?? []).map(Number);
  const bits = rawData?.length
    ? new Uint8Array(rawData)
    : new Uint8Array(Uint16Array.from(int32Data ?? []).buffer);
  if (bits.length !== 2 * elementCount(dims)) {
    throw new Error(
      `Initializer "${name}" holds ${bits.length / 2} numbers of float16, not ${elementCount(dims)}.`,
    );
  }
  replace(
    floatTensor(name ?? '', {
      dims,
      data: f16.decode(bits.buffer, elementCount(dims)),
    }),
  );
  return true;
}

function convertValue({ type }: onnx.IValueInfoProto): boolean {
  if (type?.tensorType?.elemType !== FLOAT16) return false;
  type.tensorType.elemType = DataType.FLOAT;
  return true;
}

function convertAttribute({ opType }: onnx.INodeProto, attribute: onnx.IAttributeProto): boolean {
  if (attribute.type === AttributeProto.AttributeType.GRAPH) return convertGraph(attribute.g!);
  if (attribute.t) return convertTensor(attribute.t, (converted) => (attribute.t = converted));
  // What a node makes: Cast has it as `to`, those that draw random numbers and the like as `dtype`.
  const isType = (opType === 'Cast' && attribute.name === 'to') || attribute.name === 'dtype';
  if (!isType || Number(attribute.i) !== FLOAT16) return false;
  attribute.i = DataType.FLOAT;
  return true;
}
