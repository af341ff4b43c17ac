import { quote } from '../errors.js';
import { tagOf } from '../given.js';
import { PIECE_BYTE_LENGTH, Pull, type SafetensorsPieces, hasMethod, isPieces } from './pieces.js';
import { refuse } from './format/refuse.js';

/** What of a file that Node has opened is used to read it: `FileHandle` of `node:fs/promises` has it. */
export interface ReadableNodeFile {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  stat(): Promise<{ readonly size: number }>;
}

/** What of a file that a worker has opened is used to read it: `FileSystemSyncAccessHandle` has it. */
export interface ReadableAccessHandle {
  read(buffer: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  getSize(): number;
}

/**
 * Where a file is read from. Of bytes, a Blob or File, a handle of the origin private file system, what its `createSyncAccessHandle()`
 * gives in a worker, and an open file of Node any tensor can be read at any time, and only what is asked for is read. Whoever opened a
 * file closes it, when nothing of it is to be read any more. Of a stream, and of anything else that gives pieces, tensors can be read
 * once, in the order of the file.
 */
export type SafetensorsSource =
  | Uint8Array
  | ArrayBuffer
  | Blob
  | FileSystemFileHandle
  | ReadableNodeFile
  | ReadableAccessHandle
  | SafetensorsPieces;

/** Bytes that can be read. */
export interface ByteSource {
  /** How many there are, if that is known before the end. */
  readonly byteLength: number | undefined;
  /** Fills `target` with the bytes from `byteOffset` on; rejects if there are fewer. */
  fill(byteOffset: number, target: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Rejects unless `byteLength` bytes are all, where that can be known by now. */
  expectEnd(byteLength: number): Promise<void>;
  /** Says that no more is wanted. */
  leave(reason: unknown): void;
}

/** What was given, as something that can be read. */
export async function openSource(given: unknown, signal: AbortSignal | undefined): Promise<ByteSource> {
  const tag = tagOf(given);
  if (tag === '[object Uint8Array]') return fromBytes(given as Uint8Array);
  if (tag === '[object ArrayBuffer]') return fromBytes(new Uint8Array(given as ArrayBuffer));
  if (tag === '[object Blob]' || tag === '[object File]') return fromBlob(given as Blob);
  if (hasMethod(given, 'getFile')) return fromBlob(await (given as FileSystemFileHandle).getFile());
  if (hasMethod(given, 'read') && hasMethod(given, 'stat')) return fromNodeFile(given as ReadableNodeFile);
  if (hasMethod(given, 'read') && hasMethod(given, 'getSize')) {
    return fromAccessHandle(given as ReadableAccessHandle);
  }
  if (isPieces(given) && !ArrayBuffer.isView(given)) return new StreamSource(given, signal);
  return refuse(
    `The source is ${quote(given)}. Give a Uint8Array, an ArrayBuffer, a Blob or File, a FileSystemFileHandle, a FileSystemSyncAccessHandle, an open FileHandle of Node, a ReadableStream, or something to iterate that gives Uint8Arrays.`,
  );
}

function fromBytes(bytes: Uint8Array): ByteSource {
  return seekable(bytes.byteLength, async (from, target) => {
    const there = bytes.subarray(from, from + target.byteLength);
    target.set(there);
    return there.byteLength;
  });
}

function fromBlob(blob: Blob): ByteSource {
  return seekable(blob.size, async (from, target) => {
    const there = new Uint8Array(await blob.slice(from, from + target.byteLength).arrayBuffer());
    target.set(there);
    return there.byteLength;
  });
}

async function fromNodeFile(file: ReadableNodeFile): Promise<ByteSource> {
  const { size } = await file.stat();
  return seekable(size, async (from, target) => {
    const { bytesRead } = await file.read(target, 0, target.byteLength, from);
    return bytesRead;
  });
}

function fromAccessHandle(file: ReadableAccessHandle): ByteSource {
  return seekable(file.getSize(), async (at, target) => file.read(target, { at }));
}

/** @param read writes bytes from a place on into a target, and says how many; it may be fewer than there is room for. */
function seekable(
  byteLength: number,
  read: (from: number, target: Uint8Array<ArrayBuffer>) => Promise<number>,
): ByteSource {
  return {
    byteLength,
    async fill(byteOffset, target) {
      for (let done = 0; done < target.byteLength;) {
        const count = await read(byteOffset + done, target.subarray(done, done + PIECE_BYTE_LENGTH));
        if (!(count > 0)) refuseCut(byteOffset + done, byteOffset + target.byteLength);
        done += count;
      }
    },
    async expectEnd(expected) {
      if (byteLength < expected) refuseCut(byteLength, expected);
      if (byteLength > expected) refuseLonger(expected, `${byteLength - expected} bytes`);
    },
    leave: () => undefined,
  };
}

/** Pieces that come one behind the other. What is not wanted of them is passed over. */
class StreamSource implements ByteSource {
  readonly byteLength = undefined;
  readonly #pull: Pull;
  /** Where in the file {@link #rest} begins. */
  #position = 0;
  /** What of the last piece is not read yet. */
  #rest: Uint8Array = new Uint8Array(0);
  #expectedByteLength: number | undefined;
  /** What went wrong: nothing can be read any more. */
  #failure: { readonly error: unknown } | undefined;

  constructor(pieces: SafetensorsPieces, signal: AbortSignal | undefined) {
    this.#pull = new Pull(pieces, 'The source', signal);
  }

  async fill(byteOffset: number, target: Uint8Array<ArrayBuffer>): Promise<void> {
    if (byteOffset < this.#position) {
      refuse(
        `Byte ${byteOffset} of a stream is wanted, which is at byte ${this.#position} already. Read tensors once and in the order of the file, or give a Blob or a file.`,
      );
    }
    const end = byteOffset + target.byteLength;
    await this.#try(async () => {
      while (this.#position < end) {
        if (this.#rest.byteLength === 0 && !(await this.#advance())) refuseCut(this.#position, end);
        const isBefore = this.#position < byteOffset;
        const taken = this.#rest.subarray(0, (isBefore ? byteOffset : end) - this.#position);
        if (!isBefore) target.set(taken, this.#position - byteOffset);
        this.#rest = this.#rest.subarray(taken.byteLength);
        this.#position += taken.byteLength;
      }
      await this.#checkEnd();
    });
  }

  async expectEnd(byteLength: number): Promise<void> {
    this.#expectedByteLength = byteLength;
    await this.#try(() => this.#checkEnd());
  }

  async #try(work: () => Promise<void>): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    try {
      await work();
    } catch (error) {
      this.#failure = { error };
      this.leave(error);
      throw error;
    }
  }

  leave(reason: unknown): void {
    this.#pull.leave(reason);
  }

  /** At the last byte of the file nothing must be left. */
  async #checkEnd(): Promise<void> {
    if (this.#position !== this.#expectedByteLength) return;
    if (this.#rest.byteLength > 0 || (await this.#advance())) refuseLonger(this.#position, 'bytes');
  }

  /** Waits for a piece that is not empty; false at the end. */
  async #advance(): Promise<boolean> {
    do {
      const piece = await this.#pull.next();
      if (piece === undefined) return false;
      this.#rest = piece;
    } while (this.#rest.byteLength === 0);
    return true;
  }
}

function refuseCut(byteLength: number, expected: number): never {
  refuse(
    `The file ends at byte ${byteLength} where ${expected} or more are to be: it was cut. Give the whole file.`,
  );
}

function refuseLonger(expected: number, what: string): never {
  refuse(
    `The file has ${what} behind byte ${expected}, the last that its header names. Give a file without them.`,
  );
}
