import { parseHeader } from './format/header.js';
import { MAX_HEADER_BYTE_LENGTH, PREFIX_BYTE_LENGTH, refuse } from './format/refuse.js';
import { type SafetensorsOptions, signalOf } from './signal.js';
import { type ByteSource, type SafetensorsSource, openSource } from './source.js';
import { FileBytes, SafetensorsTensor } from './tensor.js';

/** A file whose header has been read and checked. */
export interface SafetensorsFile {
  /** Texts that the file has beside its tensors; any name may occur, `__proto__` too, as a property of its own. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Its tensors by their names, in the order in which their bytes lie: in which a stream can be read. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** Bytes of the whole file. */
  readonly byteLength: number;
  /**
   * Gives up what has not been read: a stream is cancelled, what is iterated is told to return, and later reading is refused.
   * Files and handles stay open: they are the caller's.
   */
  close(): void;
}

/**
 * Opens a file in the format of safetensors: reads its header and makes all the checks of the reference implementation, and those
 * that the format's documentation has beside them. Bytes of tensors are read when they are asked for, at most 4 MiB at a time
 * beside what is returned; the header takes up to 100,000,000 bytes.
 *
 * What no check can tell before the end of a stream, that it is cut or has bytes too many, is said when its last byte is read.
 *
 * @param source where the file is; see {@link SafetensorsSource}.
 * @param options `signal` ends this call, and all reading of the file after it.
 * @throws OptimizerError `invalid-safetensors` if the file is not as the format says, or the source is none. What the source
 *   itself throws, and the signal's reason, come as they are.
 */
export async function readSafetensors(
  source: SafetensorsSource,
  options: SafetensorsOptions = {},
): Promise<SafetensorsFile> {
  const signal = signalOf(options, 'readSafetensors()');
  signal?.throwIfAborted();
  const opened = await openSource(source, signal);
  try {
    return await readFile(new FileBytes(opened, signal), opened);
  } catch (error) {
    opened.leave(error);
    throw error;
  }
}

async function readFile(bytes: FileBytes, source: ByteSource): Promise<SafetensorsFile> {
  const headerByteLength = await readHeaderByteLength(bytes, source);
  const dataOffset = PREFIX_BYTE_LENGTH + headerByteLength;
  const header = parseHeader(await bytes.read(PREFIX_BYTE_LENGTH, headerByteLength));
  const byteLength = dataOffset + (header.tensors.at(-1)?.end ?? 0);
  await bytes.expectEnd(byteLength);
  const tensors = header.tensors.map((entry) => new SafetensorsTensor(bytes, entry, dataOffset));
  return {
    metadata: header.metadata,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    byteLength,
    close: () => bytes.close(),
  };
}

async function readHeaderByteLength(bytes: FileBytes, source: ByteSource): Promise<number> {
  const prefix = await bytes.read(0, PREFIX_BYTE_LENGTH);
  const said = new DataView(prefix.buffer).getBigUint64(0, true);
  if (said > MAX_HEADER_BYTE_LENGTH) {
    refuse(
      `The file begins with a header of ${said} bytes; ${MAX_HEADER_BYTE_LENGTH} are the most. Give a file of safetensors.`,
    );
  }
  const headerByteLength = Number(said);
  const { byteLength = Infinity } = source;
  if (PREFIX_BYTE_LENGTH + headerByteLength > byteLength) {
    refuse(
      `The file begins with a header of ${said} bytes, and has ${byteLength} in all. Give the whole file.`,
    );
  }
  return headerByteLength;
}
