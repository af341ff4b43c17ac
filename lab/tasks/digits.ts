import { fileUrl } from './file-url.js';
import { DIGITS_FILE, PIXEL_COUNT, RECORD_BYTES } from './digit-format.js';
import { createRandom, shuffledIndices } from '../random.js';

/** Digits as the trainer takes them: 8-bit grey levels, row after row, and one label each. */
export interface DigitSet {
  readonly count: number;
  /** `count` × 784 grey levels, 0 … 255. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** `count` labels, 0 … 9. */
  readonly labels: Uint8Array<ArrayBuffer>;
}

/** The digits to train on and those that training never sees. */
export interface DigitSplit {
  readonly train: DigitSet;
  readonly heldOut: DigitSet;
}

/**
 * The split does not depend on a run's seed: accuracies of different seeds and optimizers are
 * measured on the same held-out digits and may be compared.
 */
const SPLIT_SEED = 20_240_229;
const HELD_OUT_SHARE = 0.2;

/** Loads the packed digits from the page's own server. */
export async function fetchDigits(url: string = fileUrl(DIGITS_FILE)): Promise<DigitSplit> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`The digits could not be loaded: ${url} answered ${response.status}.`);
  }
  return splitDigits(new Uint8Array(await response.arrayBuffer()));
}

/** Unpacks `digits.bin`, shuffles it and holds a fifth of it out. */
export function splitDigits(packed: Uint8Array): DigitSplit {
  if (packed.length === 0 || packed.length % RECORD_BYTES !== 0) {
    throw new Error(`Expected digits in records of ${RECORD_BYTES} bytes, got ${packed.length} bytes.`);
  }
  const digitCount = packed.length / RECORD_BYTES;
  const order = shuffledIndices(digitCount, createRandom(SPLIT_SEED));
  const heldOutCount = Math.round(digitCount * HELD_OUT_SHARE);
  return {
    heldOut: unpack(packed, order.subarray(0, heldOutCount)),
    train: unpack(packed, order.subarray(heldOutCount)),
  };
}

/** The first `count` digits of a set; their order is random already. */
export function firstDigits(set: DigitSet, count: number): DigitSet {
  return digitsFrom(set, 0, count);
}

/** The digits of a set from one place to another. */
export function digitsFrom({ pixels, labels }: DigitSet, first: number, end: number): DigitSet {
  return {
    count: end - first,
    pixels: pixels.slice(first * PIXEL_COUNT, end * PIXEL_COUNT),
    labels: labels.slice(first, end),
  };
}

function unpack(packed: Uint8Array, order: Int32Array): DigitSet {
  const pixels = new Uint8Array(order.length * PIXEL_COUNT);
  const labels = new Uint8Array(order.length);
  for (const [row, digit] of order.entries()) {
    const offset = digit * RECORD_BYTES;
    labels[row] = packed[offset] as number;
    pixels.set(packed.subarray(offset + 1, offset + RECORD_BYTES), row * PIXEL_COUNT);
  }
  return { count: order.length, pixels, labels };
}
