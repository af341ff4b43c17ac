/** The element at an index. */
export type ElementAt<N> = (index: number) => N;

/**
 * The operations that equations are written in, over a number type N. One reference then runs in float64, as
 * the float32 twin of a kernel, or with an error bound beside each value.
 *
 * The names and meanings are WGSL's; `lerp`, `larger`, `between`, `clamp` and `sign` are `lerp`, `larger`, `between`, `within`
 * and `sign_of` of `shaders/incoming.wgsl`.
 */
export interface Arithmetic<N> {
  /** Takes a value out of memory. */
  readonly load: (value: number) => N;
  /** Takes a scalar that the host computed in float64. */
  readonly scalar: (value: number) => N;
  /** Puts a value back into memory. An equation is called for many elements at once, so that it can only ask for scalars by this. */
  readonly store: (value: N) => number;
  readonly add: (a: N, b: N) => N;
  readonly sub: (a: N, b: N) => N;
  readonly mul: (a: N, b: N) => N;
  readonly div: (a: N, b: N) => N;
  readonly sqrt: (a: N) => N;
  readonly neg: (a: N) => N;
  readonly abs: (a: N) => N;
  /** The larger of two; NaN if `b` is NaN. */
  readonly larger: (a: N, b: N) => N;
  /** `positive` where a > 0, `otherwise` where not, NaN where a is NaN. */
  readonly where: (a: N, positive: N, otherwise: N) => N;
  /** −1, 0 or 1 by the sign of a; keeps a NaN, and the sign of a zero. */
  readonly sign: (a: N) => N;
  /** a, but not below `low` nor above `high`, which is the larger of the two; keeps a NaN. */
  readonly between: (a: N, low: N, high: N) => N;
  /** a, no larger in magnitude than `limit`; keeps a NaN. */
  readonly clamp: (a: N, limit: N) => N;
  /** a + t(b − a), the form that keeps a moment exact when b = a. */
  readonly lerp: (a: N, b: N, t: N) => N;
  /** `yes` if a > 0, else `no`: also for a NaN. */
  readonly ifPositive: (a: N, yes: N, no: N) => N;
  /** Euclidean norm of a tensor's elements, times a factor if there is one. */
  readonly norm: (length: number, at: ElementAt<N>, factor?: N) => N;
  /** tᶜ for a count t ≥ 1 and c in [−1, 0]; `ofTwo` is 2ᶜ. */
  readonly powerOfCount: (count: number, exponent: N, ofTwo: N) => N;
}
