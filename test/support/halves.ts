import type { Codec } from '../../src/codecs/codec.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';

const codecs: Readonly<Record<'f16' | 'bf16', Codec>> = { f16, bf16 };

/** A buffer of numbers of 2 bytes, two per word; freed after the test. */
export function makeHalves(
  device: GPUDevice,
  track: Track,
  dtype: 'f16' | 'bf16',
  values: Float32Array<ArrayBuffer>,
): GPUBuffer {
  const bytes = codecs[dtype].encode(values);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = track(device.createBuffer({ label: 'halves', size: bytes.byteLength, usage }));
  device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/** Values as they are there. */
export const roundedTo = (
  dtype: 'f16' | 'bf16',
  values: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> => values.map((value) => codecs[dtype].round!(value));

/** What a whole buffer of such numbers holds. */
export async function readHalves(
  device: GPUDevice,
  dtype: 'f16' | 'bf16',
  buffer: GPUBuffer,
): Promise<Float32Array<ArrayBuffer>> {
  const words = await readBuffer(device, buffer);
  return codecs[dtype].decode(words.slice().buffer, 2 * words.length);
}

const ALL = Uint16Array.from({ length: 65_536 }, (_, half) => half);

/**
 * Numbers at and beside the middles between neighbours, of both signs.
 *
 * @param infinity its bits.
 * @param above what is as far beyond the largest number as that is from the one before it.
 */
export function aroundMiddles(codec: Codec, infinity: number, above: number): Float32Array<ArrayBuffer> {
  const numbers = codec.decode(ALL.slice(0, infinity).buffer, infinity);
  const middles = numbers.map((low, k) => low / 2 + (numbers[k + 1] ?? above) / 2);
  const bits = [-1, 0, 1].flatMap((step) => Array.from(new Uint32Array(middles.buffer), (bit) => bit + step));
  return new Float32Array(
    Uint32Array.from([...bits, ...bits.map((bit) => (bit | 0x8000_0000) >>> 0)]).buffer,
  );
}
