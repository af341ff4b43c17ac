import { quote } from '../errors.js';
import type { SafetensorsDType } from './format/dtypes.js';
import type { TensorEntry } from './format/header.js';
import { PIECE_BYTE_LENGTH, allocate } from './pieces.js';
import { refuse } from './format/refuse.js';
import { unlessAborted } from './signal.js';
import type { ByteSource } from './source.js';

/** The bytes of a file, read one call behind the other, in the order of the calls. */
export class FileBytes {
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    private readonly source: ByteSource,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Reads bytes into a buffer of their own. */
  async read(byteOffset: number, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#inTurn(async () => {
      const target = allocate(byteLength, 'Read them with pieces().');
      await this.source.fill(byteOffset, target);
      return target;
    });
  }

  /** Rejects unless the file ends behind so many bytes, where that can be known by now. */
  async expectEnd(byteLength: number): Promise<void> {
    return this.#inTurn(() => this.source.expectEnd(byteLength));
  }

  /** Gives up what is not read; later calls are refused. */
  close(): void {
    this.#isClosed = true;
    this.source.leave(undefined);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      this.signal?.throwIfAborted();
      if (this.#isClosed) refuse('The file was closed with close(). Read before that.');
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return unlessAborted(turn, this.signal);
  }
}

/**
 * A tensor of a file: what the header says of it, and its bytes when they are asked for. `writeSafetensors` takes it as it is: what
 * is read of one file goes into another, a piece at a time.
 */
export class SafetensorsTensor {
  /** Its name, any text. */
  readonly name: string;
  /** What its elements are. */
  readonly dtype: SafetensorsDType;
  /** Its sizes, the last one that of elements beside each other; none for a single number. */
  readonly shape: readonly number[];
  readonly #file: FileBytes;
  readonly #byteOffset: number;
  readonly #byteLength: number;

  /** @internal */
  constructor(file: FileBytes, { name, dtype, shape, begin, end }: TensorEntry, dataOffset: number) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.#file = file;
    this.#byteOffset = dataOffset + begin;
    this.#byteLength = end - begin;
  }

  /** Where in the file its bytes begin. */
  get byteOffset(): number {
    return this.#byteOffset;
  }

  /** How many bytes it has. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Its bytes in {@link pieces}, of 4 MiB. */
  get data(): AsyncIterable<Uint8Array<ArrayBuffer>> {
    return this.pieces();
  }

  /**
   * Its bytes, little-endian, in a buffer of their own: `new Float32Array((await tensor.bytes()).buffer)`.
   *
   * @throws OptimizerError `invalid-safetensors` if the file was cut, or a stream is past it; `limit-exceeded` if they are more
   *   than one buffer may have: read {@link pieces} then.
   */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#file.read(this.#byteOffset, this.#byteLength);
  }

  /**
   * Its bytes in order, in pieces that are the caller's: of the length given, but for the last one. Where reading is left early, the
   * rest is not read.
   *
   * @param pieceByteLength a whole number from 1, 4 MiB by default.
   */
  async *pieces(pieceByteLength: number = PIECE_BYTE_LENGTH): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    if (!Number.isSafeInteger(pieceByteLength) || pieceByteLength < 1) {
      refuse(`pieces() is asked for pieces of ${quote(pieceByteLength)} bytes. Give a whole number from 1.`);
    }
    for (let done = 0; done < this.#byteLength; done += pieceByteLength) {
      yield await this.#file.read(
        this.#byteOffset + done,
        Math.min(pieceByteLength, this.#byteLength - done),
      );
    }
  }
}
