import { quote } from '../errors.js';
import { type PlannedTensor, type WritableTensor, planFile } from './layout.js';
import { PIECE_BYTE_LENGTH, Pull, isBytes } from './pieces.js';
import { refuse } from './format/refuse.js';
import { type SafetensorsOptions, signalOf } from './signal.js';
import { type ByteSink, type SafetensorsSink, openSink } from './sink.js';

/**
 * Writes a file in the format of safetensors, the same bytes as the reference implementation: the header, with spaces up to a
 * multiple of 8 bytes, and the tensors, by dtype (larger elements first) and name. All that is given is checked before anything is written,
 * but for pieces, which are seen when they come.
 *
 * It writes 4 MiB at a time, each when the sink wants more, and asks for pieces of tensors as it goes; beside that, and the largest
 * piece given, it needs no memory, however large the file is.
 *
 * @param sink where to, see {@link SafetensorsSink}; or `'bytes'` or `'blob'` for a file in memory.
 * @param tensors in any order.
 * @param metadata texts by their names, none by default; the reference keeps their order no more than an object does.
 * @param options `signal` ends the call.
 * @returns the file, of `'bytes'` and `'blob'`.
 * @throws OptimizerError `invalid-safetensors` if it would be no such file. The first error of pieces or sink, and the signal's reason,
 *   come as they are. The sink is aborted then; no error of that is reported.
 */
export function writeSafetensors(
  sink: 'bytes',
  tensors: Iterable<WritableTensor>,
  metadata?: Readonly<Record<string, string>>,
  options?: SafetensorsOptions,
): Promise<Uint8Array<ArrayBuffer>>;
export function writeSafetensors(
  sink: 'blob',
  tensors: Iterable<WritableTensor>,
  metadata?: Readonly<Record<string, string>>,
  options?: SafetensorsOptions,
): Promise<Blob>;
export function writeSafetensors(
  sink: SafetensorsSink,
  tensors: Iterable<WritableTensor>,
  metadata?: Readonly<Record<string, string>>,
  options?: SafetensorsOptions,
): Promise<void>;
export async function writeSafetensors(
  sink: SafetensorsSink | 'bytes' | 'blob',
  tensors: Iterable<WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: SafetensorsOptions = {},
): Promise<unknown> {
  const signal = signalOf(options, 'writeSafetensors()');
  const file = planFile(tensors, metadata);
  signal?.throwIfAborted();
  const opened = await openSink(sink, file.byteLength, signal);
  try {
    const output = new Output(opened, file.byteLength, signal);
    await output.write(file.head);
    for (const tensor of file.tensors) await writeTensor(output, tensor, signal);
    return await output.finish();
  } catch (error) {
    await opened.abort(error).catch(() => undefined);
    throw error;
  }
}

async function writeTensor(
  output: Output,
  { name, byteLength, data }: PlannedTensor,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isBytes(data)) {
    await output.write(data, byteLength);
    return;
  }
  const what = `Tensor ${quote(name)}`;
  const pull = new Pull(data, what, signal);
  try {
    let given = 0;
    for (;;) {
      const piece = await pull.next();
      given += piece?.byteLength ?? 0;
      if (piece === undefined ? given < byteLength : given > byteLength) {
        refuse(
          `${what} gives ${given} bytes${piece ? ' or more' : ''}; its dtype and shape take ${byteLength}. Give all elements, and no more.`,
        );
      }
      if (piece === undefined) return;
      await output.write(piece);
    }
  } catch (error) {
    pull.leave(error);
    throw error;
  }
}

/**
 * Makes pieces of one length of what is written, whatever its pieces were: copies, which the sink may keep. The last one waits
 * for `finish()`, so that the sink never has all of a file that turns out to be none.
 */
class Output {
  #buffer = new Uint8Array(0);
  #filled = 0;
  /** Bytes of the file that are in no buffer yet. */
  #left: number;

  constructor(
    private readonly sink: ByteSink<unknown>,
    byteLength: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#left = byteLength;
  }

  /** @param byteLength how many there were when they were checked: a buffer may be given away while others are waited for. */
  async write(bytes: Uint8Array, byteLength = bytes.byteLength): Promise<void> {
    for (let done = 0; done < byteLength;) {
      if (this.#filled === this.#buffer.byteLength) await this.#turn();
      if (bytes.byteLength !== byteLength) {
        refuse(
          `Data had ${byteLength} bytes, and ${bytes.byteLength} when they were to be written. Leave them as they are until the file is.`,
        );
      }
      const part = bytes.subarray(done, done + this.#buffer.byteLength - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.byteLength;
      done += part.byteLength;
    }
  }

  /** Hands over the last piece, and says that it was the last. */
  async finish(): Promise<unknown> {
    await this.#hand();
    return this.sink.close();
  }

  /** Begins a piece. */
  async #turn(): Promise<void> {
    if (this.#filled > 0) await this.#hand();
    this.#buffer = new Uint8Array(Math.min(PIECE_BYTE_LENGTH, this.#left));
    this.#left -= this.#buffer.byteLength;
    this.#filled = 0;
  }

  async #hand(): Promise<void> {
    this.signal?.throwIfAborted();
    await this.sink.write(this.#buffer);
    this.signal?.throwIfAborted();
  }
}
