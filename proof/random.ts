/**
 * A source of uniform numbers in [0, 1), the same sequence for the same seed in every browser and in Node: mulberry32, whose
 * 32 bits of state are enough for test data, shuffles and initial weights.
 */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Seeded random numbers, so that a printed seed repeats a run. */
export class Random {
  /** Uniform in [0, 1). */
  readonly uniform: () => number;

  constructor(seed: number) {
    this.uniform = mulberry32(seed);
  }

  /** Uniform integer in [0, below). */
  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(list.length)]!;
  }

  /** Weights: uniform in (−1, 1). */
  weights(length: number): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length }, () => 2 * this.uniform() - 1);
  }

  /** Gradients: both signs, six decades of magnitude, and now and then a zero. */
  gradients(length: number): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length }, () => {
      const u = this.uniform();
      if (u < 0.02) return 0;
      return (2 * this.uniform() - 1) * 10 ** (6 * u - 4);
    });
  }
}
