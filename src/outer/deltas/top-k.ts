import { float32 } from '../../reference/arithmetic/arithmetic.js';

/** Elements that the largest are chosen among: neighbours of one tensor. SparseLoCo has 4,096, too (arXiv 2508.15706). */
export const CHUNK_LENGTH = 4096;
/** Bits of a place in a chunk. */
export const PLACE_BITS = 12;
const MIN_NORMAL_BITS = 0x80_0000;
const INFINITE_BITS = 0x7f80_0000;

/** The largest elements only, by number; what is left out goes into the next delta. */
export interface TopKOptions {
  /**
   * How many elements of each 4,096 of a tensor are kept: an integer from 1 to 2048; or below 1, their share, up to 0.5. Of the last, shorter
   * stretch of a tensor as large a share is kept, one element at least.
   */
  readonly topK: number;
  /** Bits of a value: 2, 4, 8 or 16, a sign and evenly spaced magnitudes between the least and the largest that is kept; 32 keeps float32. */
  readonly bits: 2 | 4 | 8 | 16 | 32;
}

/** What is kept of a chunk of so many elements. */
export interface ChunkForm {
  /** Elements that are kept. */
  readonly kept: number;
  /** Words of it all: least magnitude and step (not of 32 bits); places, ascending; codes. */
  readonly wordCount: number;
  /** The first word of places, and of codes. */
  readonly places: number;
  readonly codes: number;
}

export function chunkForm({ topK, bits }: TopKOptions, elementCount: number): ChunkForm {
  const share = topK < 1 ? topK : topK / CHUNK_LENGTH;
  const kept = Math.ceil(share * elementCount);
  const places = bits === 32 ? 0 : 2;
  const codes = places + Math.ceil((PLACE_BITS * kept) / 32);
  return { kept, places, codes, wordCount: codes + Math.ceil((bits * kept) / 32) };
}

/** A chunk of a tensor, and where it lies in the tensor's words. */
export interface Chunk extends ChunkForm {
  readonly element: number;
  readonly elementCount: number;
  readonly word: number;
}

/** The chunks of a tensor. */
export function chunksOf(options: TopKOptions, elementCount: number): Chunk[] {
  const chunks: Chunk[] = [];
  let word = 0;
  for (let element = 0; element < elementCount; element += CHUNK_LENGTH) {
    const count = Math.min(CHUNK_LENGTH, elementCount - element);
    const form = chunkForm(options, count);
    chunks.push({ ...form, element, elementCount: count, word });
    word += form.wordCount;
  }
  return chunks;
}

/** Words of a tensor. */
export function wordsOfTensor(options: TopKOptions, elementCount: number): number {
  const rest = elementCount % CHUNK_LENGTH;
  const whole = Math.floor(elementCount / CHUNK_LENGTH) * chunkForm(options, CHUNK_LENGTH).wordCount;
  return whole + (rest > 0 ? chunkForm(options, rest).wordCount : 0);
}

/** Levels of magnitudes: of the bits, one is the sign. */
export const largestLevel = (bits: number): number => 2 ** (bits - 1) - 1;

/** Twin of `shaders/stages/outer/top-k.wgsl`, operation by operation; subnormals count as 0. */
export function encodeChunks(
  options: TopKOptions,
  values: Float32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { bits } = options;
  const words = new Uint32Array(wordsOfTensor(options, values.length));
  const floats = new Float32Array(words.buffer);
  const valueBits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keyOf = (element: number): number => {
    const key = valueBits[element]! & 0x7fff_ffff;
    return key < MIN_NORMAL_BITS ? 0 : key;
  };
  for (const { element, elementCount, kept, word, places, codes } of chunksOf(options, values.length)) {
    const keyAt = Uint32Array.from({ length: elementCount }, (_, k) => keyOf(element + k));
    const order = Uint16Array.from(keyAt.keys()).toSorted((a, b) => keyAt[b]! - keyAt[a]! || a - b);
    const picked = Array.from(order.subarray(0, kept).toSorted());
    const keys = picked.map((place) => keyAt[place]!);
    const scale = bits === 32 ? undefined : scaleOf(Math.min(...keys), Math.max(...keys), largestLevel(bits));
    if (scale) floats.set([scale.least, scale.step], word);
    picked.forEach((place, k) => {
      put(words, word + places, k, PLACE_BITS, place);
      const sign = valueBits[element + place]! >>> 31;
      const code = scale ? codeOf(keys[k]!, sign, scale, bits) : valueBits[element + place]!;
      put(words, word + codes, k, bits, code);
    });
  }
  return new Uint8Array(words.buffer);
}

export function decodeChunks(
  options: TopKOptions,
  bytes: Uint8Array<ArrayBuffer>,
  elementCount: number,
): Float32Array<ArrayBuffer> {
  const words = wordsOf(bytes);
  const values = new Float32Array(elementCount);
  const { bits } = options;
  const { add, mul } = float32;
  for (const { element, kept, word, places, codes } of chunksOf(options, elementCount)) {
    const [least, step] = [floatOf(words[word]!), floatOf(words[word + 1] ?? 0)];
    for (let k = 0; k < kept; k++) {
      const place = take(words, word + places, k, PLACE_BITS);
      const code = take(words, word + codes, k, bits);
      const magnitude = add(least, mul(code & largestLevel(bits), step));
      values[element + place] = bits === 32 ? floatOf(code) : code >>> (bits - 1) ? -magnitude : magnitude;
    }
  }
  return values;
}

/** Places ascend, and lie within their chunk: so no two invocations write to one element. Values are finite. */
export function complaintAboutChunks(
  options: TopKOptions,
  bytes: Uint8Array<ArrayBuffer>,
  elementCount: number,
): string | undefined {
  const words = wordsOf(bytes);
  const { bits } = options;
  for (const { element, elementCount: count, kept, word, places, codes } of chunksOf(options, elementCount)) {
    const isFinite =
      bits === 32
        ? words
            .subarray(word + codes, word + codes + kept)
            .every((code) => (code & INFINITE_BITS) !== INFINITE_BITS)
        : Number.isFinite(
            Math.fround(floatOf(words[word]!) + largestLevel(bits) * floatOf(words[word + 1]!)),
          );
    if (!isFinite) return `not all of its values from ${element} on are finite`;
    let before = -1;
    for (let k = 0; k < kept; k++) {
      const place = take(words, word + places, k, PLACE_BITS);
      if (place <= before || place >= count) {
        return `place ${k} of the elements from ${element} on is ${place}, behind ${before}, of ${count}; places ascend`;
      }
      before = place;
    }
  }
  return undefined;
}

interface Scale {
  readonly least: number;
  readonly step: number;
}

/** Where the largest is not finite, the step says so. */
function scaleOf(leastKey: number, largestKey: number, most: number): Scale {
  const [least, largest] = [floatOf(leastKey), floatOf(largestKey)];
  if (largestKey >= INFINITE_BITS) return { least, step: NaN };
  const { sub, mul } = float32;
  return { least, step: mul(sub(largest, least), Math.fround(1 / most)) };
}

function codeOf(key: number, sign: number, { least, step }: Scale, bits: number): number {
  const { sub, div } = float32;
  const most = largestLevel(bits);
  const steps = step > 0 ? div(sub(floatOf(key), least), step) : 0;
  const level = steps >= 0 ? Math.min(Math.floor(Math.fround(steps + 0.5)), most) : 0;
  return (sign << (bits - 1)) | level;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

function floatOf(bits: number): number {
  floatBits[0] = bits;
  return float[0]!;
}

const wordsOf = (bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> =>
  new Uint32Array(bytes.slice().buffer);

/** Writes the k-th number of so many bits; what is there is 0. */
function put(words: Uint32Array, first: number, k: number, bits: number, value: number): void {
  const at = k * bits;
  const [word, shift] = [first + (at >>> 5), at & 31];
  words[word]! |= value << shift;
  if (shift + bits > 32) words[word + 1]! |= value >>> (32 - shift);
}

function take(words: Uint32Array, first: number, k: number, bits: number): number {
  const at = k * bits;
  const [word, shift] = [first + (at >>> 5), at & 31];
  const low = words[word]! >>> shift;
  const value = shift + bits > 32 ? low | (words[word + 1]! << (32 - shift)) : low;
  return bits === 32 ? value >>> 0 : value & (2 ** bits - 1);
}
