import { OptimizerError, type OptimizerErrorCode, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { bf16 } from '../../codecs/bf16.js';
import { int8 } from '../../codecs/blocks.js';
import { type Codec, valuesByteLength } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import { copyGiven } from '../../given.js';
import type { SafetensorsDType } from '../../safetensors/format/dtypes.js';
import {
  CHUNK_LENGTH,
  type TopKOptions,
  complaintAboutChunks,
  decodeChunks,
  encodeChunks,
  wordsOfTensor,
} from './top-k.js';

/**
 * How deltas are written: float32; bfloat16; 8 bits of each element and a float32 of each 64; or the largest elements only. What rounding
 * takes off is kept on the GPU and goes into the next delta (error feedback), so that nothing is lost for good.
 */
export type Compress = 'none' | 'bf16' | 'int8' | TopKOptions;

/** How the values of a tensor lie in a delta. */
export type DeltaFormat = { readonly compress: Compress } & (
  | { readonly codec: Codec; readonly topK?: undefined }
  | { readonly topK: TopKOptions; readonly codec?: undefined }
);

const CODECS = { none: f32, bf16, int8 } satisfies Record<string, Codec>;
const BITS: readonly unknown[] = [2, 4, 8, 16, 32];

/**
 * @param what is given, for errors: `'OuterOptimizer.create(): compress'`.
 * @throws OptimizerError `invalid-config`, or what `code` says.
 */
export function resolveCompress(
  given: unknown,
  what: string,
  code: OptimizerErrorCode = 'invalid-config',
): DeltaFormat {
  const fail = (message: string): never => {
    throw new OptimizerError(code, message);
  };
  if (typeof given === 'string' && Object.hasOwn(CODECS, given)) {
    const compress = given as keyof typeof CODECS;
    return { compress, codec: CODECS[compress] };
  }
  if (!isRecord(given))
    return fail(`${what} is ${quote(given)}; give 'none', 'bf16', 'int8' or { topK, bits }.`);
  const options = copyGiven(given, ['topK', 'bits']);
  rejectUnknownKeys(options, ['topK', 'bits'], what, code);
  const { topK, bits } = options;
  const isNumber = typeof topK === 'number' && topK > 0;
  const isShare = isNumber && topK <= 0.5;
  const isCount = isNumber && Number.isInteger(topK) && topK <= CHUNK_LENGTH / 2;
  if (!isShare && !isCount) {
    fail(
      `${what}: topK is ${quote(topK)}; give how many elements of each ${CHUNK_LENGTH} are kept, 1 to ${CHUNK_LENGTH / 2}, or their share, up to 0.5.`,
    );
  }
  if (!BITS.includes(bits)) fail(`${what}: bits is ${quote(bits)}; give 2, 4, 8, 16 or 32.`);
  const compress = Object.freeze({ topK, bits }) as TopKOptions;
  return { compress, topK: compress };
}

/** Whether two are the same. */
export const isSameFormat = (a: DeltaFormat, b: DeltaFormat): boolean =>
  JSON.stringify(a.compress) === JSON.stringify(b.compress);

/** Whether what was written may differ from what was meant. */
export const isLossy = ({ codec }: DeltaFormat): boolean => codec !== f32;

/** How a tensor is described in a file. */
export function tensorOf(
  format: DeltaFormat,
  elementCount: number,
): { dtype: SafetensorsDType; shape: number[] } {
  const { codec } = format;
  if (!codec) return { dtype: 'U8', shape: [byteLengthOf(format, elementCount)] };
  if (!codec.isScaled) return { dtype: codec.dtype, shape: [elementCount] };
  const { blockLength, blockByteLength } = codec;
  return { dtype: codec.dtype, shape: [Math.ceil(elementCount / blockLength), blockByteLength] };
}

/** Bytes of a tensor in a file. */
export const byteLengthOf = ({ codec, topK }: DeltaFormat, elementCount: number): number =>
  codec ? valuesByteLength(codec, elementCount) : 4 * wordsOfTensor(topK, elementCount);

/** The bytes of some values. */
export function encodeValues(
  format: DeltaFormat,
  values: Float32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { codec, topK } = format;
  if (!codec) return encodeChunks(topK, values);
  return codec.encode(values).subarray(0, byteLengthOf(format, values.length));
}

/** The values of some bytes. */
export function decodeValues(
  { codec, topK }: DeltaFormat,
  bytes: Uint8Array<ArrayBuffer>,
  elementCount: number,
): Float32Array<ArrayBuffer> {
  if (!codec) return decodeChunks(topK, bytes, elementCount);
  const whole = new Uint8Array(codec.blockByteLength * Math.ceil(elementCount / codec.blockLength));
  whole.set(bytes);
  return codec.decode(whole.buffer, elementCount);
}

/** What is wrong with some bytes of the right length, if anything is: NaN and infinities are never averaged. */
export function complaintAbout(
  { codec, topK }: DeltaFormat,
  bytes: Uint8Array<ArrayBuffer>,
  elementCount: number,
): string | undefined {
  if (topK) return complaintAboutChunks(topK, bytes, elementCount);
  return areFinite(codec, bytes) ? undefined : 'not all of its values are finite';
}

/** Whether values are finite, told by exponents: those of blocks by that of their scale, the last word. */
function areFinite({ dtype, isScaled, blockByteLength }: Codec, bytes: Uint8Array<ArrayBuffer>): boolean {
  if (dtype === 'BF16')
    return new Uint16Array(bytes.slice().buffer).every((half) => (half & 0x7f80) !== 0x7f80);
  const words = new Uint32Array(bytes.slice().buffer);
  const stride = isScaled ? blockByteLength / 4 : 1;
  for (let k = stride - 1; k < words.length; k += stride) {
    if ((words[k]! & 0x7f80_0000) === 0x7f80_0000) return false;
  }
  return true;
}
