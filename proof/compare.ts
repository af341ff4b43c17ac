import type { Bounded } from '../src/reference/arithmetic/error-bound.js';

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

const hex = (bits: number): string => `0x${bits.toString(16).padStart(8, '0')}`;

/**
 * Compares bit for bit; two NaNs are equal whatever their payload, which IEEE 754 leaves open.
 *
 * @returns what differs first and how much differs, or undefined if nothing does.
 */
export function bitDifference(got: Float32Array, want: Float32Array): string | undefined {
  if (got.length !== want.length) return `got ${got.length} elements, want ${want.length}`;
  const gotBits = bitsOf(got);
  const wantBits = bitsOf(want);
  let count = 0;
  let first = -1;
  for (let i = 0; i < got.length; i++) {
    if (gotBits[i] === wantBits[i] || (Number.isNaN(got[i]) && Number.isNaN(want[i]))) continue;
    if (first < 0) first = i;
    count++;
  }
  if (count === 0) return undefined;
  return (
    `${count} of ${got.length} differ, first at ${first}: ` +
    `got ${got[first]} (${hex(gotBits[first]!)}), want ${want[first]} (${hex(wantBits[first]!)})`
  );
}

/** Largest deviations of a run from float64, in ULP of the float64 value and as a fraction of the bound. */
export interface Deviation {
  readonly ulp: number;
  readonly ofBound: number;
}

/** The larger of two deviations, in each measure. */
export function largerDeviation(a: Deviation, b: Deviation): Deviation {
  return { ulp: Math.max(a.ulp, b.ulp), ofBound: Math.max(a.ofBound, b.ofBound) };
}

/** One float32 ULP at a value. */
export function ulpAt(value: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -126) - 23);
}

/**
 * Holds each value to its bound; a float64 value that is not finite must be matched exactly.
 *
 * @throws Error naming index, got, want and bound of the first value out of bounds.
 */
export function checkWithinBound(got: ArrayLike<number>, want: readonly Bounded[], what: string): Deviation {
  const largest = { ulp: 0, ofBound: 0 };
  want.forEach(({ value, error }, i) => {
    const deviation = Object.is(got[i], value) ? 0 : Math.abs(got[i]! - value);
    if (Number.isNaN(value) ? !Number.isNaN(got[i]) : !(deviation <= error)) {
      throw new Error(`${what}[${i}]: got ${got[i]}, want ${value} ± ${error}`);
    }
    if (!(deviation > 0)) return;
    largest.ulp = Math.max(largest.ulp, deviation / ulpAt(value));
    largest.ofBound = Math.max(largest.ofBound, deviation / error);
  });
  return largest;
}
