/** The smallest float32 that no GPU flushes to zero. */
const SMALLEST_NORMAL = 2 ** -126;

/**
 * Whether a number stays itself, but for rounding, as a float32 uniform: 0, or of a magnitude that a GPU neither flushes to
 * zero nor makes infinite.
 */
export function fitsFloat32(value: number): boolean {
  const rounded = Math.abs(Math.fround(value));
  return value === 0 || (rounded >= SMALLEST_NORMAL && rounded < Infinity);
}
