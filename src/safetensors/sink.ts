import { quote } from '../errors.js';
import { allocate, hasMethod } from './pieces.js';
import { refuse } from './format/refuse.js';
import { unlessAborted } from './signal.js';

/** What of a file that Node has opened is used to write it: `FileHandle` of `node:fs/promises` has it. */
export interface WritableNodeFile {
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  truncate(byteLength: number): Promise<void>;
}

/** What of a file that a worker has opened is used to write it: `FileSystemSyncAccessHandle` has it. */
export interface WritableAccessHandle {
  write(buffer: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(byteLength: number): void;
  flush(): void;
  getSize(): number;
}

/**
 * Where a file is written to.
 *
 * - A WritableStream, as `FileSystemWritableFileStream` is one: it is closed, or aborted if writing fails.
 * - A handle of the origin private file system: what the file had before is there until all is written, and if that fails.
 * - An open file of Node: it is written from its beginning, cut behind the last byte, and stays open. If writing fails when it has
 *   begun, it is emptied, for half a file is of no use. Write under another name and rename it to keep what was there.
 * - In a worker, what `createSyncAccessHandle()` of a handle gives: likewise, and it is flushed at the end. Whoever opened it closes it.
 * - `'bytes'`, `'blob'`: what the call returns.
 */
export type SafetensorsSink =
  | WritableStream<Uint8Array<ArrayBuffer>>
  | FileSystemFileHandle
  | WritableNodeFile
  | WritableAccessHandle;

/** Where pieces go, one behind the other. */
export interface ByteSink<R> {
  /** Resolves when more is wanted. The piece is the sink's from then on. */
  write(piece: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<R>;
  /** Takes back what was written. */
  abort(reason: unknown): Promise<void>;
}

/**
 * What was given, as something that can be written to.
 *
 * @param signal ends the waiting for a stream that takes nothing. Files are waited for: what is under way there comes to an end, and
 *   nobody else can have the file before.
 */
export async function openSink(
  given: unknown,
  byteLength: number,
  signal: AbortSignal | undefined,
): Promise<ByteSink<unknown>> {
  if (given === 'bytes') return toBytes(byteLength);
  if (given === 'blob') return toBlob();
  if (hasMethod(given, 'getWriter')) return new StreamSink(given as WritableStream, signal);
  if (hasMethod(given, 'createWritable')) {
    return new StreamSink(await (given as FileSystemFileHandle).createWritable(), undefined);
  }
  if (hasMethod(given, 'write') && hasMethod(given, 'truncate')) return toFile(writableOf(given));
  return refuse(
    `The sink is ${quote(given)}. Give a WritableStream, a FileSystemFileHandle, a FileSystemSyncAccessHandle, an open FileHandle of Node, "bytes" or "blob".`,
  );
}

function toBytes(byteLength: number): ByteSink<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(byteLength, 'Write to a file or a Blob.');
  let position = 0;
  return {
    async write(piece) {
      bytes.set(piece, position);
      position += piece.byteLength;
    },
    close: async () => bytes,
    abort: async () => undefined,
  };
}

function toBlob(): ByteSink<Blob> {
  const parts: Blob[] = [];
  return {
    // A Blob each, which the browser may keep on the disk.
    write: async (piece) => void parts.push(new Blob([piece])),
    close: async () => new Blob(parts),
    abort: async () => undefined,
  };
}

/** An open file, in whatever words its platform has. */
interface WritableFile {
  /** Writes some of the bytes, at a place. @returns how many. */
  write(bytes: Uint8Array<ArrayBuffer>, position: number): Promise<number>;
  truncate(byteLength: number): Promise<void>;
  /** Says that all is written. */
  flush(): Promise<void>;
}

function writableOf(given: unknown): WritableFile {
  if (hasMethod(given, 'getSize')) {
    const file = given as WritableAccessHandle;
    return {
      write: async (bytes, at) => file.write(bytes, { at }),
      truncate: async (byteLength) => file.truncate(byteLength),
      flush: async () => file.flush(),
    };
  }
  const file = given as WritableNodeFile;
  return {
    write: async (bytes, position) => (await file.write(bytes, 0, bytes.byteLength, position)).bytesWritten,
    truncate: (byteLength) => file.truncate(byteLength),
    flush: async () => undefined,
  };
}

function toFile(file: WritableFile): ByteSink<void> {
  let position = 0;
  let isBegun = false;
  return {
    async write(piece) {
      isBegun = true;
      for (let done = 0; done < piece.byteLength;) {
        const count = await file.write(piece.subarray(done), position);
        if (!(count > 0)) refuse(`The sink takes no more at byte ${position}. Give one with room.`);
        done += count;
        position += count;
      }
    },
    async close() {
      await file.truncate(position);
      await file.flush();
    },
    async abort() {
      if (isBegun) await file.truncate(0);
    },
  };
}

class StreamSink implements ByteSink<void> {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #isBusy = false;

  /** @param signal ends the waiting for a write, and for the end. */
  constructor(
    stream: WritableStream<Uint8Array<ArrayBuffer>>,
    private readonly signal: AbortSignal | undefined,
  ) {
    try {
      this.#writer = stream.getWriter();
    } catch (cause) {
      refuse('The sink is a stream that something else is writing. Give one that is not locked.', cause);
    }
    // What it rejects with comes from write() and close(), too.
    this.#writer.closed.catch(() => undefined);
  }

  async write(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#do(this.#writer.write(piece));
  }

  async close(): Promise<void> {
    await this.#do(this.#writer.close());
  }

  async #do(work: Promise<void>): Promise<void> {
    this.#isBusy = true;
    await unlessAborted(work, this.signal);
    this.#isBusy = false;
  }

  /** It is waited for unless a write is under way, which may never end: of a pipe whose other end nobody reads. */
  async abort(reason: unknown): Promise<void> {
    const aborted = this.#writer.abort(reason);
    if (this.#isBusy) aborted.catch(() => undefined);
    else await aborted;
  }
}
