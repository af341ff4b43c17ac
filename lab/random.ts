import { mulberry32 } from '../proof/random.js';

/** A source of uniform numbers in [0, 1), the same sequence for the same seed on every machine. */
export type RandomSource = () => number;

/** `Math.random` cannot be seeded, and "same seed, same run" is what makes two optimizers comparable. */
export const createRandom: (seed: number) => RandomSource = mulberry32;

/** One sample of the standard normal distribution (Box–Muller). */
function sampleNormal(random: RandomSource): number {
  // 1 − u lies in (0, 1], so the logarithm is finite.
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** Samples of a normal distribution around 0. */
export function sampleNormals(
  random: RandomSource,
  count: number,
  deviation: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, () => sampleNormal(random) * deviation);
}

/** A shuffled copy (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], random: RandomSource): T[] {
  const copy = [...items];
  for (let k = copy.length - 1; k > 0; k -= 1) {
    const other = Math.floor(random() * (k + 1));
    [copy[k], copy[other]] = [copy[other]!, copy[k]!];
  }
  return copy;
}

/** The numbers 0 … count−1 in random order. */
export function shuffledIndices(count: number, random: RandomSource): Int32Array<ArrayBuffer> {
  return Int32Array.from(
    shuffled(
      Array.from({ length: count }, (_, i) => i),
      random,
    ),
  );
}
