/** The smallest normal float32; GPUs may take anything smaller for 0. */
const SMALLEST = 2 ** -126;

/** Whether a float32 holds a finite number, but for rounding: it neither overflows nor is flushed to 0. */
export function fitsFloat32(value: number): boolean {
  const rounded = Math.abs(Math.fround(value));
  return value === 0 || (rounded >= SMALLEST && rounded < Infinity);
}

/**
 * What is wrong with a number, or with an entry of a list, that is to become a float32; nothing for infinities and NaN,
 * which it holds.
 */
export function float32Complaint(value: unknown): string | undefined {
  const numbers: readonly unknown[] = Array.isArray(value) ? value.flat() : [value];
  const misfit = numbers.find((one) => typeof one === 'number' && Number.isFinite(one) && !fitsFloat32(one));
  if (misfit === undefined) return undefined;
  return Math.abs(misfit as number) < 1
    ? 'give 0, or a magnitude from 1.18e-38 on, the smallest that a float32 on a GPU holds'
    : 'give a magnitude below 3.4e38, where float32 ends';
}

/**
 * A power by multiplications alone, which have the same bits everywhere; those of `**` are another in each engine.
 *
 * @param exponent an integer ≥ 0, n. Each squaring doubles the relative error that there is: it is at most (n − 1)·2⁻⁵³, to first order,
 *   which of 1 − βⁿ is 2⁻⁵³/(1 − β) at most: nothing that a float32 shows.
 */
export function powerOf(base: number, exponent: number): number {
  let power = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power *= square;
    square *= square;
  }
  return power;
}
