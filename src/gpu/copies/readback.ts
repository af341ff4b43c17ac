import { makeBuffer } from '../make-buffer.js';
import { OptimizerError, quote } from '../../errors.js';
import { encodeGathering } from './gather-copies.js';
import { type ByteRange, totalByteLength } from './byte-range.js';
import { settleOrLose } from '../device.js';
import { READ_REMEDIES, type Refusal, captureErrors, refusalError } from '../refusal.js';
import * as BufferUsage from '../buffer-usage.js';
import { MAP_MODE_READ } from '../flags.js';

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
    const { value: firstMapped, refusal } = captureErrors(this.device, () => {
      this.#copy(ranges, stagings, what);
      return mapNext(stagings[0]!, byteLength);
    });
    const sink = new Sink(results);
    let isWhole = false;
    try {
      await settleOrLose(this.device, this.#collect(stagings, byteLength, firstMapped, sink, refusal, what));
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

  #copy(ranges: readonly ByteRange[], stagings: GPUBuffer[], what: string): void {
    const label = `${this.label} read of ${what}`;
    const encoder = this.device.createCommandEncoder({ label });
    stagings.push(...encodeGathering(encoder, ranges, (left) => this.#takeStaging(left, label)));
    this.device.queue.submit([encoder.finish()]);
  }

  #takeStaging(byteLength: number, label: string): GPUBuffer {
    const isSmall = byteLength <= SMALL_BYTE_LENGTH;
    const kept = isSmall ? this.#free.pop() : undefined;
    if (kept) return kept;
    return makeBuffer(
      this.device,
      label,
      isSmall ? SMALL_BYTE_LENGTH : Math.min(byteLength, PIECE_BYTE_LENGTH),
      BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    );
  }

  /** Moves what the staging buffers hold into the results, one after the other, each freed before the next is mapped. */
  async #collect(
    stagings: readonly GPUBuffer[],
    byteLength: number,
    firstMapped: Promise<undefined>,
    sink: Sink,
    refusal: Promise<Refusal | undefined>,
    what: string,
  ): Promise<void> {
    // What the device had against buffers and copies says more than that they cannot be mapped.
    const [mapping] = await Promise.allSettled([firstMapped, refusal]);
    const met = await refusal;
    if (met) throw refusalError(this.device, met, what, READ_REMEDIES);
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

/** @throws OptimizerError `invalid-parameter` for a buffer that cannot be copied from. */
export function rejectUnreadable(ranges: readonly ByteRange[], what: string): void {
  for (const { buffer } of ranges) {
    if ((buffer.usage & BufferUsage.COPY_SRC) !== 0) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${what}: buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without COPY_SRC; ` +
        'create it with GPUBufferUsage.COPY_SRC to read it.',
    );
  }
}
