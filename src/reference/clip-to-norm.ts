import type { Arithmetic } from '../rules/arithmetic.js';

/**
 * The CPU twin of `shaders/stages/norms/`: a gradient, scaled so that its norm is `maxNorm` at most.
 *
 *   g ← g · maxNorm / max(‖m·g‖₂, maxNorm)      tf.clip_by_norm, Keras' clipnorm
 *
 * @param values loaded.
 * @param multiplier m, what the rule's step multiplies gradients with: the norm is that of the unscaled gradient.
 */
export function clipToNorm<N>(
  f: Arithmetic<N>,
  values: ArrayLike<N>,
  multiplier: number,
  maxNorm: number,
): N[] {
  const [m, most] = [f.scalar(multiplier), f.scalar(maxNorm)];
  const norm = f.norm(values.length, (i) => f.mul(values[i]!, m));
  const factor = f.where(f.sub(norm, most), f.div(most, norm), f.scalar(1));
  return Array.from(values, (value) => f.mul(value, factor));
}
