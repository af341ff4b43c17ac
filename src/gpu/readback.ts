import { OptimizerError, quote } from '../errors.js';
import { captureErrors, isOutOfMemory, rejectIfLost, settleOrLose } from './device.js';
import * as BufferUsage from './buffer-usage.js';
import { MAP_MODE_READ } from './flags.js';

/** Bytes of a buffer; offset and length are multiples of 4. */
export interface ByteRange {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The most that one staging buffer holds: of a large state, pieces are mapped and freed one by one. */
const PIECE_BYTE_LENGTH = 64 * 2 ** 20;
/** Reads of up to this many bytes take a staging buffer that is kept, as those at every frame. */
const SMALL_BYTE_LENGTH = 1024;
/** Idle staging buffers that are kept for them. */
const KEPT_STAGINGS = 4;

/** Reads buffers as they are at the moment of the call, whatever is submitted next. */
export class Reader {
  readonly #free: GPUBuffer[] = [];
  #isDestroyed = false;

  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
  ) {}

  /**
   * Reads ranges of buffers. All copies are submitted, in one submit, before this function returns its promise.
   *
   * @param wanted per result, its ranges, to be put behind one another.
   * @param what is read, for errors.
   * @returns the bytes of each.
   * @throws OptimizerError `invalid-parameter` if a buffer cannot be copied from, or the device rejects it;
   *   `out-of-memory`, `device-lost`.
   */
  async read(wanted: readonly (readonly ByteRange[])[], what: string): Promise<ArrayBuffer[]> {
    const ranges = wanted.flat();
    rejectUnreadable(ranges, what);
    const results = wanted.map((list) => new ArrayBuffer(totalByteLength(list)));
    const byteLength = totalByteLength(ranges);
    if (byteLength === 0) return results;
    const stagings: GPUBuffer[] = [];
    const { value: firstMapped, error } = captureErrors(this.device, () => {
      this.#copy(ranges, byteLength, stagings, what);
      return mapNext(stagings[0]!, byteLength);
    });
    const sink = new Sink(results);
    let isWhole = false;
    try {
      await settleOrLose(this.device, this.#collect(stagings, byteLength, firstMapped, sink, error, what));
      isWhole = true;
    } finally {
      this.#giveBack(stagings, isWhole);
    }
    return results;
  }

  /** Frees the staging buffers that are kept; reads that are under way end as they would have. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const staging of this.#free.splice(0)) staging.destroy();
  }

  #copy(ranges: readonly ByteRange[], byteLength: number, stagings: GPUBuffer[], what: string): void {
    const label = `${this.label} read of ${what}`;
    const encoder = this.device.createCommandEncoder({ label });
    let left = byteLength;
    let staging: GPUBuffer | undefined;
    let position = 0;
    for (const range of joinNeighbours(ranges)) {
      for (let done = 0; done < range.byteLength;) {
        if (!staging || position === staging.size) {
          staging = this.#takeStaging(left, label);
          stagings.push(staging);
          position = 0;
        }
        const size = Math.min(range.byteLength - done, staging.size - position);
        encoder.copyBufferToBuffer(range.buffer, range.byteOffset + done, staging, position, size);
        done += size;
        position += size;
        left -= size;
      }
    }
    this.device.queue.submit([encoder.finish()]);
  }

  #takeStaging(byteLength: number, label: string): GPUBuffer {
    const isSmall = byteLength <= SMALL_BYTE_LENGTH;
    const kept = isSmall ? this.#free.pop() : undefined;
    if (kept) return kept;
    return this.device.createBuffer({
      label,
      size: isSmall ? SMALL_BYTE_LENGTH : Math.min(byteLength, PIECE_BYTE_LENGTH),
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
  }

  /** Moves what the staging buffers hold into the results, one after the other, each freed before the next is mapped. */
  async #collect(
    stagings: readonly GPUBuffer[],
    byteLength: number,
    firstMapped: Promise<undefined>,
    sink: Sink,
    error: Promise<GPUError | undefined>,
    what: string,
  ): Promise<void> {
    // What the device had against buffers and copies says more than that they cannot be mapped.
    const [mapping] = await Promise.allSettled([firstMapped, error]);
    const cause = await error;
    if (cause) {
      await rejectIfLost(this.device);
      throw readError(cause, byteLength, what);
    }
    if (mapping.status === 'rejected') throw mapping.reason;
    let left = byteLength;
    for (const [k, staging] of stagings.entries()) {
      if (k > 0) await mapNext(staging, left);
      const size = Math.min(left, staging.size);
      sink.write(staging.getMappedRange(0, size));
      staging.unmap();
      if (staging.size > SMALL_BYTE_LENGTH) staging.destroy();
      left -= size;
    }
  }

  /** @param isWhole whether all went well: what could not be had is not kept. */
  #giveBack(stagings: readonly GPUBuffer[], isWhole: boolean): void {
    for (const staging of stagings) {
      const isKept =
        isWhole &&
        !this.#isDestroyed &&
        staging.size === SMALL_BYTE_LENGTH &&
        this.#free.length < KEPT_STAGINGS;
      if (isKept) this.#free.push(staging);
      else staging.destroy();
    }
  }
}

/** Maps what a staging buffer holds of the bytes that are left. */
function mapNext(staging: GPUBuffer, left: number): Promise<undefined> {
  return staging.mapAsync(MAP_MODE_READ, 0, Math.min(left, staging.size));
}

/** Fills results one after the other. */
class Sink {
  #index = 0;
  #position = 0;

  constructor(private readonly results: readonly ArrayBuffer[]) {}

  write(bytes: ArrayBuffer): void {
    for (let done = 0; done < bytes.byteLength;) {
      const result = this.results[this.#index]!;
      const size = Math.min(bytes.byteLength - done, result.byteLength - this.#position);
      new Uint8Array(result, this.#position, size).set(new Uint8Array(bytes, done, size));
      done += size;
      this.#position += size;
      if (this.#position < result.byteLength) continue;
      this.#index++;
      this.#position = 0;
    }
  }
}

const totalByteLength = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, { byteLength }) => sum + byteLength, 0);

/** Ranges that lie behind one another in a buffer as one: a copy costs more than a few bytes. */
function joinNeighbours(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && last.buffer === range.buffer && last.byteOffset + last.byteLength === range.byteOffset) {
      joined[joined.length - 1] = { ...last, byteLength: last.byteLength + range.byteLength };
    } else joined.push(range);
  }
  return joined;
}

function rejectUnreadable(ranges: readonly ByteRange[], what: string): void {
  for (const { buffer } of ranges) {
    if ((buffer.usage & BufferUsage.COPY_SRC) !== 0) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${what}: buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without COPY_SRC; ` +
        'create it with GPUBufferUsage.COPY_SRC to read it.',
    );
  }
}

function readError(cause: GPUError, byteLength: number, what: string): OptimizerError {
  const message = cause.message.trim();
  if (isOutOfMemory(cause)) {
    return new OptimizerError(
      'out-of-memory',
      `${what}: reading takes ${byteLength} bytes of buffers to be mapped, which the device could not allocate: ` +
        `${message} Read less at a time.`,
    );
  }
  return new OptimizerError(
    'invalid-parameter',
    `${what}: the device rejects the read: ${message} Give buffers that are neither destroyed nor mapped.`,
  );
}
