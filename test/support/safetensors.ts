import {
  type ReadableAccessHandle,
  type ReadableNodeFile,
  type SafetensorsFile,
  type SafetensorsSource,
  type WritableAccessHandle,
  readSafetensors,
} from '../../src/safetensors/index.js';
import type { Random } from '../../proof/random.js';

/** What a file holds, to be compared. */
export interface Contents {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly (readonly [
    name: string,
    dtype: string,
    shape: readonly number[],
    bytes: readonly number[],
  ])[];
}

/** All that a file holds, its tensors in their order. */
export async function contentsOf(source: SafetensorsSource): Promise<Contents> {
  return contentsOfFile(await readSafetensors(source));
}

/** The same, of a file that is open. */
export async function contentsOfFile(file: SafetensorsFile): Promise<Contents> {
  const tensors: Contents['tensors'][number][] = [];
  for (const tensor of file.tensors.values()) {
    tensors.push([tensor.name, tensor.dtype, tensor.shape, [...(await tensor.bytes())]]);
  }
  return { metadata: file.metadata, tensors };
}

/** Bytes cut at random places, now and then with nothing between two cuts. */
export function cutAtRandom(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + random.integer(random.pick([1, 2, 10, 1000]) + 1);
    pieces.push(bytes.slice(at, end));
    at = Math.min(end, bytes.byteLength);
  }
  return pieces;
}

/** A stream of pieces, each of which is made when it is asked for. */
export function streamOf(pieces: Iterable<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream(
    {
      pull(controller) {
        const { done, value } = iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

/** A file that is nowhere: it is asked for its bytes, and tells how it was asked. */
export class ImaginaryFile {
  readonly byteLength: number;
  /** The most bytes that were asked for at once, and all together. */
  largestRead = 0;
  bytesRead = 0;

  /** @param dataByteLength of bytes that follow from their places; see {@link byteAt}. */
  constructor(
    private readonly head: Uint8Array,
    dataByteLength: number,
  ) {
    this.byteLength = head.byteLength + dataByteLength;
  }

  /** The byte at a place behind the head. */
  static byteAt(place: number): number {
    return (place * 7 + Math.floor(place / 256)) % 251;
  }

  /** As a file of Node. */
  get node(): ReadableNodeFile {
    return {
      stat: async () => ({ size: this.byteLength }),
      read: async (buffer, offset, length, position) => {
        const bytesRead = Math.min(length, this.byteLength - position);
        this.#fill(buffer.subarray(offset, offset + bytesRead), position);
        return { bytesRead };
      },
    };
  }

  /** As what a Blob is to its readers. */
  get blob(): Blob {
    const blob = {
      [Symbol.toStringTag]: 'Blob',
      size: this.byteLength,
      slice: (from: number, to: number) => ({
        arrayBuffer: async () => {
          const bytes = new Uint8Array(Math.min(to, this.byteLength) - from);
          this.#fill(bytes, from);
          return bytes.buffer;
        },
      }),
    };
    return blob as unknown as Blob;
  }

  #fill(target: Uint8Array, position: number): void {
    this.largestRead = Math.max(this.largestRead, target.byteLength);
    this.bytesRead += target.byteLength;
    for (let k = 0; k < target.byteLength; k += 1) {
      const place = position + k - this.head.byteLength;
      target[k] = place < 0 ? this.head[position + k]! : ImaginaryFile.byteAt(place);
    }
  }
}

/** What `createSyncAccessHandle()` gives, in memory: each call reads and writes some of the bytes only. */
export class FakeAccessHandle implements ReadableAccessHandle, WritableAccessHandle {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether all that was written before is on the disk. */
  isFlushed = true;

  /** @param room the most bytes that it has room for; no write passes over them, and one at the end of them writes nothing. */
  constructor(
    private readonly random: Random,
    bytes: Uint8Array,
    private readonly room = Infinity,
  ) {
    this.bytes = Uint8Array.from(bytes);
  }

  read(buffer: Uint8Array, { at }: { at: number }): number {
    const there = this.bytes.subarray(at, at + Math.min(buffer.byteLength, this.#draw()));
    buffer.set(there);
    return there.byteLength;
  }

  write(buffer: Uint8Array, { at }: { at: number }): number {
    const count = Math.min(buffer.byteLength, this.#draw(), this.room - at);
    if (at + count > this.bytes.byteLength) this.truncate(at + count);
    this.bytes.set(buffer.subarray(0, count), at);
    this.isFlushed = false;
    return count;
  }

  truncate(byteLength: number): void {
    const bytes = new Uint8Array(byteLength);
    bytes.set(this.bytes.subarray(0, byteLength));
    this.bytes = bytes;
    this.isFlushed = false;
  }

  flush(): void {
    this.isFlushed = true;
  }

  getSize(): number {
    return this.bytes.byteLength;
  }

  /** How many bytes a call is given or takes at most. */
  #draw(): number {
    return 1 + this.random.integer(100);
  }
}

/** A stream that tells what is asked of it. */
export function watchedStream(
  pieces: Iterable<Uint8Array<ArrayBuffer>>,
  atEnd: 'closes' | 'hangs' | Error = 'closes',
) {
  const iterator = pieces[Symbol.iterator]();
  const seen = { given: 0, cancelled: [] as unknown[] };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = iterator.next();
        if (done !== true) {
          seen.given += value.byteLength;
          controller.enqueue(value);
        } else if (atEnd === 'closes') controller.close();
        else if (atEnd !== 'hangs') controller.error(atEnd);
        else return new Promise<void>(() => undefined);
        return undefined;
      },
      cancel: (reason) => void seen.cancelled.push(reason),
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** A stream that keeps what is written, and tells what became of it. */
export function watchedSink(onWrite: (piece: Uint8Array) => unknown = () => undefined) {
  const seen = { lengths: [] as number[], bytes: [] as number[], end: undefined as unknown };
  const stream = new WritableStream<Uint8Array>({
    async write(piece) {
      await onWrite(piece);
      seen.lengths.push(piece.byteLength);
      if (piece.byteLength < 1000) seen.bytes.push(...piece);
    },
    close: () => void (seen.end = 'closed'),
    abort: (reason) => void (seen.end = { reason: reason as unknown }),
  });
  return { stream, seen };
}
