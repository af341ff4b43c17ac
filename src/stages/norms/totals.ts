/** As in shaders/squares.wgsl: what large magnitudes are divided, and small ones multiplied by before they are squared. */
const SCALE = 2 ** 84;
const INFINITE = 1;
const NOT_A_NUMBER = 2;

/** The norm of the k-th of some totals, in float64: of large, medium and small squares, and flags. */
export function normOfTotal(bytes: ArrayBuffer, k: number): number {
  const [large, medium, small] = new Float32Array(bytes, 16 * k, 3);
  const flags = new Uint32Array(bytes)[4 * k + 3]!;
  if ((flags & NOT_A_NUMBER) !== 0) return NaN;
  if ((flags & INFINITE) !== 0) return Infinity;
  return Math.sqrt(large! * SCALE ** 2 + medium! + small! * SCALE ** -2);
}
