/** What a codec must make of numbers, and a kernel's run held to it. */
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import { type Codec, byteLengthOf } from '../../src/codecs/codec.js';
import {
  type Keeping,
  type KeptInput,
  type KeptOutput,
  boundByteLength,
  placeOf,
  randomWordOf,
} from './codec-kernel.js';

type Floats = Float32Array<ArrayBuffer>;
type Bytes = Uint8Array<ArrayBuffer>;

const EDGES = [
  0,
  1,
  1 + 2 ** -8,
  1 + 3 * 2 ** -8,
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  2 - 2 ** -23,
  65_504,
  65_519,
  65_520,
  2 ** 127,
  3.3e38,
  3.4e38,
];
const SMALL = [
  2 ** -14,
  2 ** -15 + 2 ** -26,
  2 ** -24,
  2 ** -25,
  1.5 * 2 ** -25,
  1.5 * 2 ** -24,
  2.5 * 2 ** -24,
  2 ** -126,
  2 ** -133,
  1e-30,
];
const FAR = [Infinity, NaN, 1e30];

/** Numbers of all kinds that may be kept: of blocks, some of one size, some with what makes them flat. */
export function numbersFor({ codec, masters }: Keeping, random: Random, length: number): Floats {
  const of = (k: number): number => {
    const block = codec.isScaled ? Math.floor(k / codec.blockLength) % 8 : random.integer(8);
    const size = 2 ** (random.integer(12) - 6);
    if (block === 0) return random.pick(EDGES);
    if (block === 1) return random.pick(SMALL);
    if (block === 2) return codec.isScaled ? 0 : random.pick(FAR);
    if (block === 3 && random.uniform() < 0.05) return random.pick(FAR);
    if (block === 4) return bitsAsFloat(random.integer(2 ** 32));
    return size * random.uniform();
  };
  const values = Float32Array.from({ length }, (_, k) => (random.uniform() < 0.5 ? -1 : 1) * of(k));
  return masters ? values : values.map((value) => acceptedFor(codec, value));
}

/** What a codec does not take is none of its input. No integer of fixed point stands for NaN, either. */
function acceptedFor({ name, accepts }: Codec, value: number): number {
  if (name.startsWith('i32')) return Number.isNaN(value) ? 0 : value;
  if (!accepts || accepts.test(value)) return value;
  return name === 'correction' ? Math.round(value) % 128 || 0 : Math.abs(value);
}

/** NaN is what it is without a payload. */
function bitsAsFloat(word: number): number {
  const value = new Float32Array(Uint32Array.of(word).buffer)[0]!;
  return Number.isNaN(value) ? NaN : value;
}

const POISON = 0xa5;

/** What is bound when these numbers are kept in it: nothing else has changed. */
function boundWith(keeping: Keeping, kept: Bytes, values: Floats): Bytes {
  const { codec } = keeping;
  const bound = kept.slice();
  const encoded = codec.encode(values.slice());
  const elementByteLength = codec.blockByteLength / codec.blockLength;
  if (codec.isScaled || elementByteLength === 1) {
    bound.set(encoded, byteLengthOf(codec, placeOf(keeping, 0)));
    return bound;
  }
  for (let k = 0; k < values.length; k++) {
    const from = k * elementByteLength;
    bound.set(encoded.subarray(from, from + elementByteLength), placeOf(keeping, k) * elementByteLength);
  }
  return bound;
}

/** The numbers of a tensor, from what is bound. */
function numbersIn(keeping: Keeping, bound: Bytes, elementCount: number): Floats {
  const { codec } = keeping;
  const all = codec.decode(bound.slice().buffer, (bound.length / codec.blockByteLength) * codec.blockLength);
  return Float32Array.from({ length: elementCount }, (_, k) => all[placeOf(keeping, k)]!);
}

/**
 * Keeps numbers on the GPU.
 *
 * @param isExact whether the adapter rounds as the twin does; else blocks with a scale are held to their error.
 * @returns what is not as the codec says, if anything is.
 */
export async function checkKeeping(
  run: (input: KeptInput) => Promise<KeptOutput>,
  keeping: Keeping,
  values: Floats,
  random: Random,
  isExact: boolean,
): Promise<string | undefined> {
  const { codec, masters, isDrawn } = keeping;
  const kept = new Uint8Array(boundByteLength(keeping, values.length)).fill(POISON);
  const seed = [random.integer(2 ** 32), random.integer(2 ** 32)] as const;
  const output = await run({ values, kept, seed });
  const copies = values.map((value, k) =>
    isDrawn ? codec.random!.round(value, randomWordOf(k, seed)) : value,
  );
  const want = boundWith(keeping, kept, copies);
  if (!isExact && codec.isScaled) return farDifference(keeping, output.loaded, values);
  const wrong = want.findIndex((byte, k) => byte !== output.kept[k]);
  if (wrong >= 0) return `byte ${wrong} of ${want.length}: got ${output.kept[wrong]}, want ${want[wrong]}`;
  const loaded = numbersIn(keeping, want, values.length);
  if (!masters) return bitDifference(output.loaded, loaded) ?? behindDifference(keeping, output);
  const beside = values.map((value) => masters.keptOf(value));
  return (
    bitDifference(masters.codec.decode(output.beside.buffer, values.length), beside) ??
    bitDifference(
      output.loaded,
      loaded.map((copy, k) => masters.weightOf(copy, beside[k]!, codec)),
    )
  );
}

/** Loads what was kept elsewhere: of all bits that there may be. */
export async function checkLoading(
  run: (input: KeptInput) => Promise<KeptOutput>,
  keeping: Keeping,
  elementCount: number,
  random: Random,
  isExact: boolean,
): Promise<string | undefined> {
  const { codec, masters } = keeping;
  const kept = new Uint8Array(boundByteLength(keeping, elementCount)).map(() => random.integer(256));
  if (codec.isScaled) {
    const words = new Uint32Array(kept.buffer);
    const scales = new Float32Array(kept.buffer);
    const wordCount = codec.blockByteLength / 4;
    for (let k = wordCount - 1; k < words.length; k += wordCount) {
      scales[k] = random.pick([0, NaN, 1, random.uniform(), 1e-20, 1e30]);
    }
  }
  const copies = numbersIn(keeping, kept, elementCount);
  const beside = masters?.codec.encode(
    numbersFor(
      { ...keeping, codec: masters.codec, access: 'vector' },
      random,
      4 * Math.ceil(elementCount / 4),
    ),
  );
  const output = await run({ values: elementCount, kept, ...(beside && { beside }) });
  if (output.kept.some((byte, k) => byte !== kept[k])) return 'what was only loaded has changed';
  if (!masters) {
    // The twin divides by the constant, or multiplies with its reciprocal, as the kernel does; another adapter may round otherwise.
    return isExact || !codec.isScaled
      ? bitDifference(output.loaded, copies)
      : nearDifference(output.loaded, copies);
  }
  const own = masters.codec.decode(beside!.buffer, elementCount);
  return bitDifference(
    output.loaded,
    copies.map((copy, k) => masters.weightOf(copy, own[k]!, codec)),
  );
}

/** Of what has words of its own, a lane that ends early has its last number again: nothing else is loaded. */
function behindDifference({ codec, access }: Keeping, { loaded, behind }: KeptOutput): string | undefined {
  if (codec.blockLength > 1 || access === 'vector') return undefined;
  return bitDifference(
    behind,
    behind.map(() => loaded.at(-1)!),
  );
}

/** The first number that is further from the one that was kept than the codec says. */
function farDifference({ codec }: Keeping, got: Floats, values: Floats): string | undefined {
  for (let first = 0; first < values.length; first += codec.blockLength) {
    const own = values.subarray(first, first + codec.blockLength);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [k, value] of own.entries()) {
      const loaded = got[first + k]!;
      const isNear = Number.isFinite(largest)
        ? Math.abs(loaded - value) <= codec.roundingError * largest || (largest < 2 ** -94 && loaded === 0)
        : Number.isNaN(loaded);
      if (!isNear) return `${first + k}: got ${loaded} for ${value}, the largest of its block ${largest}`;
    }
  }
  return undefined;
}

/** Within four roundings of 2.5 units in the last place, which WGSL lets a division have. */
function nearDifference(got: Floats, want: Floats): string | undefined {
  const wrong = want.findIndex(
    (value, k) =>
      !(Math.abs(got[k]! - value) <= 10 * 2 ** -23 * Math.abs(value)) &&
      !(Number.isNaN(value) && Number.isNaN(got[k])),
  );
  return wrong < 0 ? undefined : `${wrong}: got ${got[wrong]}, want ${want[wrong]}`;
}
