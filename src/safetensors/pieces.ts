import { OptimizerError, quote } from '../errors.js';
import { tagOf } from '../given.js';
import { refuse } from './format/refuse.js';
import { unlessAborted } from './signal.js';

/** The most bytes that are read or written at once, beside the header: what large tensors are cut into. */
export const PIECE_BYTE_LENGTH = 4 * 2 ** 20;

/** Bytes that come piece by piece: a stream, or what can be iterated, as a generator or a list of pieces. */
export type SafetensorsPieces = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Whether a value gives pieces one by one; what they are is seen when they come. */
export function isPieces(value: unknown): value is SafetensorsPieces {
  return ['getReader', Symbol.asyncIterator, Symbol.iterator].some((name) => hasMethod(value, name));
}

/** Whether a value is an object that has a method of this name. */
export function hasMethod(value: unknown, name: PropertyKey): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return typeof (value as Record<PropertyKey, unknown>)[name] === 'function';
}

/** What is left of pieces; each call waits for one. */
export class Pull {
  readonly #next: () => Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  readonly #leave: (reason: unknown) => unknown;

  /** @param what gives the pieces, for errors. */
  constructor(
    pieces: SafetensorsPieces,
    private readonly what: string,
    private readonly signal: AbortSignal | undefined,
  ) {
    // Streams can be iterated in some browsers only, and what iterates one waits for the end of reading before it leaves.
    if (hasMethod(pieces, 'getReader')) {
      const reader = readerOf(pieces as ReadableStream<Uint8Array>, what);
      this.#next = () => reader.read();
      this.#leave = (reason) => reader.cancel(reason);
      return;
    }
    const iterator =
      Symbol.asyncIterator in pieces
        ? pieces[Symbol.asyncIterator]()
        : (pieces as Iterable<Uint8Array>)[Symbol.iterator]();
    this.#next = async () => iterator.next();
    this.#leave = () => iterator.return?.();
  }

  /**
   * The next piece, if there is one.
   *
   * @throws OptimizerError `invalid-safetensors` if it is no Uint8Array; the signal's reason; the error of what gives the pieces.
   */
  async next(): Promise<Uint8Array | undefined> {
    this.signal?.throwIfAborted();
    const { done, value } = await unlessAborted(this.#next(), this.signal);
    if (done === true) return undefined;
    if (!isBytes(value)) refuse(`${this.what} gives ${quote(value)}. Let it give Uint8Arrays.`);
    return value;
  }

  /** Says that no more is wanted. It is not waited for: who gives the pieces may be waiting for something that never comes. */
  leave(reason: unknown): void {
    void (async () => this.#leave(reason))().catch(() => undefined);
  }
}

/**
 * A buffer of zeros.
 *
 * @param remedy what to do if there can be none of that length.
 */
export function allocate(byteLength: number, remedy: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(byteLength);
  } catch (cause) {
    const message = `${byteLength} bytes are more than one buffer may have here. ${remedy}`;
    throw new OptimizerError('limit-exceeded', message, { cause });
  }
}

/** Whether a value is a Uint8Array, of whatever realm; Node's Buffer is one. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf(value) === '[object Uint8Array]';
}

function readerOf(stream: ReadableStream<Uint8Array>, what: string): ReadableStreamDefaultReader<Uint8Array> {
  try {
    return stream.getReader();
  } catch (cause) {
    return refuse(`${what} is a stream that something else is reading. Give one that is not locked.`, cause);
  }
}
