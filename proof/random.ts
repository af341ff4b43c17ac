/** Seeded random numbers: mulberry32, so that a printed seed repeats a run in every browser and in Node. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
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
