import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';

/** The first byte of what exporters write: the key of the model's IR version. */
const FIRST_BYTE = 0x08;

/**
 * Decodes an ONNX file.
 *
 * @param file its name, for messages.
 * @throws Error naming the file if it is empty, cut short, or no model in ONNX.
 */
export function readModel(file: string, bytes: Uint8Array): onnx.IModelProto {
  if (bytes.length === 0) throw new Error(`"${file}" is empty; give a file that an exporter has written.`);
  const model = decode(file, bytes);
  const { graph, opsetImport } = model;
  if (!graph?.node?.length || !graph.output?.length) {
    throw new Error(`"${file}" holds no ONNX model; give a file that an exporter has written.`);
  }
  if (!opsetImport?.length) {
    throw new Error(`"${file}" names no opset, so it is cut short or no whole model; export it again.`);
  }
  return model;
}

function decode(file: string, bytes: Uint8Array): onnx.IModelProto {
  try {
    return onnxProto.onnx.ModelProto.decode(bytes);
  } catch (cause) {
    const isCut = cause instanceof RangeError && bytes[0] === FIRST_BYTE;
    const what = isCut ? `"${file}" (${bytes.length} bytes) is cut short` : `"${file}" is no ONNX file`;
    const remedy = isCut ? 'copy or export it again' : 'give one that an exporter has written';
    throw new Error(`${what}; ${remedy}.`, { cause });
  }
}
