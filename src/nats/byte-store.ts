import type { JetStreamManager } from '@nats-io/jetstream';
import type { ObjectStore } from '@nats-io/obj';
import { Deadline } from '../fleet/deadline.js';
import { passingError } from './attempts.js';

/** Bytes of a message that a server adds to its payload, generously. */
const HEADER_BYTE_LENGTH = 4096;
const CHUNK_BYTE_LENGTH = 128 * 1024;

/** Deltas and snapshots in an object store. Names are never used twice, so that nobody reads half of one and half of another. */
export class ByteStore {
  constructor(
    private readonly objects: ObjectStore,
    private readonly manager: JetStreamManager,
    private readonly bucket: string,
    private readonly stallSeconds: number,
  ) {}

  /** @param maxPayload what one message may hold, as the server says. */
  async put(name: string, bytes: Uint8Array, maxPayload: number): Promise<void> {
    const chunk = Math.min(CHUNK_BYTE_LENGTH, Math.max(maxPayload - HEADER_BYTE_LENGTH, maxPayload >> 1));
    await this.objects.putBlob({ name, options: { max_chunk_size: chunk } }, bytes);
  }

  /** The bytes; nothing if they are gone, or not whole. */
  async get(name: string): Promise<Uint8Array | undefined> {
    const info = await this.objects.info(name);
    if (info === null || info.deleted) return undefined;
    // A chunk that is not there would be waited for without an end.
    const subject = `$O.${this.bucket}.C.${info.nuid}`;
    const { state } = await this.manager.streams.info(`OBJ_${this.bucket}`, { subjects_filter: subject });
    if ((state.subjects?.[subject] ?? 0) < info.chunks) return undefined;
    const found = await this.objects.get(name);
    if (found === null) return undefined;
    // What goes wrong is told by the stream of bytes, too.
    found.error.catch(() => undefined);
    const bytes = new Uint8Array(info.size);
    const reader = found.data.getReader();
    let position = 0;
    try {
      for (;;) {
        const { done, value } = await this.#unlessStalled(reader.read());
        if (done) break;
        if (position + value.byteLength > bytes.byteLength) return undefined;
        bytes.set(value, position);
        position += value.byteLength;
      }
    } catch (error) {
      await reader.cancel().catch(() => undefined);
      // The client compares the digest.
      if (error instanceof Error && /corrupt/iu.test(error.message)) return undefined;
      throw error;
    }
    return position === bytes.byteLength ? bytes : undefined;
  }

  /** Removes objects, and what is kept to say that they were removed. */
  async remove(isOld: (name: string) => boolean): Promise<void> {
    for (const { name, nuid } of await this.objects.list()) {
      if (!isOld(name)) continue;
      await this.#purge(`C.${nuid}`);
      await this.#purge(`M.${encodeName(name)}`);
    }
  }

  async #purge(subject: string): Promise<void> {
    await this.manager.streams.purge(`OBJ_${this.bucket}`, { filter: `$O.${this.bucket}.${subject}` });
  }

  async #unlessStalled<T>(promise: Promise<T>): Promise<T> {
    const stall = new Deadline(this.stallSeconds);
    const stalled = stall.passes.then(() => {
      throw passingError(`no bytes arrived for ${this.stallSeconds} s`);
    });
    try {
      return await Promise.race([promise, stalled]);
    } finally {
      stall.cancel();
    }
  }
}

/** As the object store writes names in subjects: base64 for addresses, padded. Names are of ASCII. */
function encodeName(name: string): string {
  return btoa(name).replaceAll('+', '-').replaceAll('/', '_');
}
