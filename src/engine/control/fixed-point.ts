/** One, as a fraction of 64 bits. */
const ONE = 1n << 64n;

/** A fraction in [0, 1) as the GPU keeps it: high and low 32 bits. */
export type FractionWords = readonly [high: number, low: number];

function toWords(fraction: bigint): FractionWords {
  return [Number(fraction >> 32n), Number(fraction & 0xffff_ffffn)];
}

/** β as a 64-bit fraction; exact for every float64 β ≥ 2⁻¹¹, rounded below. */
function toFraction(beta: number): bigint {
  return BigInt(Math.round(beta * 2 ** 64));
}

/** The words of β. */
export function betaWords(beta: number): FractionWords {
  return toWords(toFraction(beta));
}

/**
 * The words of βᵗ for t ≥ 1, by squaring: where a resumed run's count starts on the GPU. Off by less than the GPU's
 * own t roundings. For t = 0 the GPU does not read it.
 */
export function powerWords(beta: number, t: number): FractionWords {
  if (t === 0) return [0, 0];
  let result = ONE;
  let square = toFraction(beta);
  for (let rest = t; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return toWords(result);
}

/** Rounded to 64 bits, half up, as `multiply_fractions` in shaders/control/finalize.wgsl. */
function multiply(a: bigint, b: bigint): bigint {
  return (a * b + (ONE >> 1n)) >> 64n;
}
