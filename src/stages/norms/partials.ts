/** As in shaders/squares.wgsl: what large magnitudes are divided, and small ones multiplied by before they are squared. */
const SCALE = 2 ** 84;
const INFINITE = 1;
const NOT_A_NUMBER = 2;

/** The norm that partials make, in float64 and in their order: sums of large, medium and small squares, and flags. */
export function normOfPartials(bytes: ArrayBuffer): number {
  const [floats, words] = [new Float32Array(bytes), new Uint32Array(bytes)];
  let [sum, flags] = [0, 0];
  for (let k = 0; k < floats.length; k += 4) {
    const [large, medium, small] = [floats[k]!, floats[k + 1]!, floats[k + 2]!];
    sum += large * SCALE ** 2 + medium + small * SCALE ** -2;
    flags |= words[k + 3]!;
  }
  if ((flags & NOT_A_NUMBER) !== 0) return NaN;
  return (flags & INFINITE) !== 0 ? Infinity : Math.sqrt(sum);
}
