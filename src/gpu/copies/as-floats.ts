import { tagOf } from '../../given.js';

/** Typed arrays whose entries are no numbers. */
const BIG_TAGS = ['[object BigInt64Array]', '[object BigUint64Array]'];

/**
 * Numbers as float32, to be written to the GPU; the same array where it can be, and a copy of any other.
 *
 * @returns undefined unless they are a list or a typed array, of whatever realm, of as many numbers.
 */
export function asFloats(values: unknown, count: number): Float32Array<ArrayBuffer> | undefined {
  if (Array.isArray(values)) {
    const numbers = Array.from<unknown>(values);
    const isFit = numbers.length === count && numbers.every((value) => typeof value === 'number');
    return isFit ? Float32Array.from(numbers) : undefined;
  }
  const tag = tagOf(values);
  if (!ArrayBuffer.isView(values) || tag === '[object DataView]' || BIG_TAGS.includes(tag)) return undefined;
  const typed = values as Float32Array;
  if (typed.length !== count) return undefined;
  // Writing takes no shared memory.
  const isPlain = tag === '[object Float32Array]' && tagOf(typed.buffer) === '[object ArrayBuffer]';
  return isPlain ? (typed as Float32Array<ArrayBuffer>) : Float32Array.from(typed);
}
