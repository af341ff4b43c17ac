import { makeBuffer } from '../make-buffer.js';
import { settleOrLose } from '../device.js';
import { READ_REMEDIES, captureErrors, refusalError } from '../refusal.js';
import * as BufferUsage from '../buffer-usage.js';
import { MAP_MODE_READ } from '../flags.js';
import { cutRanges } from './gather-copies.js';
import type { ByteRange } from './byte-range.js';

/** Buffers that are mapped in turn: while one is read, the next is filled. */
const STAGING_COUNT = 2;
/** Bytes of each; a piece is one more in the host's memory. */
const STAGING_BYTE_LENGTH = 8 * 2 ** 20;

/** A piece that is on its way to the host. */
interface Filling {
  readonly staging: GPUBuffer;
  readonly byteLength: number;
  readonly mapped: Promise<unknown>;
}

/**
 * Reads ranges of any length in pieces of 8 MiB, through two staging buffers: the host never holds more than three pieces.
 * What is read is what is there when its turn comes.
 *
 * @param ranges one behind the other.
 * @param what the call that reads, for errors.
 * @throws OptimizerError `device-lost`; `out-of-memory`, `invalid-parameter` for what the device has against a copy.
 */
export async function* readPieces(
  device: GPUDevice,
  ranges: readonly ByteRange[],
  label: string,
  what: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const stagings: GPUBuffer[] = [];
  const free: GPUBuffer[] = [];
  const fill = (piece: readonly ByteRange[]): Filling => {
    const byteLength = piece.reduce((sum, range) => sum + range.byteLength, 0);
    const { value, refusal } = captureErrors(device, () => {
      const staging = free.pop() ?? take(byteLength);
      const encoder = device.createCommandEncoder({ label });
      let position = 0;
      for (const range of piece) {
        encoder.copyBufferToBuffer(range.buffer, range.byteOffset, staging, position, range.byteLength);
        position += range.byteLength;
      }
      device.queue.submit([encoder.finish()]);
      return { staging, mapping: staging.mapAsync(MAP_MODE_READ, 0, byteLength) };
    });
    const settled = async (): Promise<void> => {
      const [mapping] = await Promise.allSettled([value.mapping, refusal]);
      const met = await refusal;
      if (met) throw refusalError(device, met, what, READ_REMEDIES);
      if (mapping.status === 'rejected') throw mapping.reason;
    };
    const mapped = settleOrLose(device, settled());
    // Reading may be left before its turn.
    mapped.catch(() => undefined);
    return { staging: value.staging, byteLength, mapped };
  };
  const take = (byteLength: number): GPUBuffer => {
    const size = stagings.length === 0 ? byteLength : STAGING_BYTE_LENGTH;
    const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
    stagings.push(makeBuffer(device, `${label} staging`, size, usage));
    return stagings.at(-1)!;
  };
  const empty = async ({ staging, byteLength, mapped }: Filling): Promise<Uint8Array<ArrayBuffer>> => {
    await mapped;
    const bytes = new Uint8Array(staging.getMappedRange(0, byteLength).slice(0));
    staging.unmap();
    free.push(staging);
    return bytes;
  };
  const filling: Filling[] = [];
  try {
    for (const piece of cutRanges(ranges, STAGING_BYTE_LENGTH)) {
      if (filling.length === STAGING_COUNT) yield await empty(filling.shift()!);
      filling.push(fill(piece));
    }
    while (filling.length > 0) yield await empty(filling.shift()!);
  } finally {
    for (const staging of stagings) staging.destroy();
  }
}
