import type { Arithmetic } from '../rules/declaring/arithmetic.js';
import type { ElementGradients } from './tensor/sum-rows.js';
import { positionsOf } from './tensor/table-step.js';

/**
 * The CPU twin of `shaders/stages/norms/`: a gradient, scaled so that its norm is `maxNorm` at most.
 *
 *   g ← g · maxNorm / max(‖m·g‖₂, maxNorm)      tf.clip_by_norm, Keras' clipnorm
 *
 * @param gradient its values loaded.
 * @param multiplier m, what the rule's step multiplies gradients with: the norm is that of the unscaled gradient.
 */
export function clipToNorm<N>(
  f: Arithmetic<N>,
  gradient: ElementGradients<N>,
  multiplier: number,
  maxNorm: number,
): ElementGradients<N> {
  const { values, places, placeCount = values.length } = gradient;
  const positions = places && positionsOf(places);
  const zero = f.scalar(0);
  const at = (i: number): N => {
    const k = positions ? positions.get(i) : i;
    return k === undefined ? zero : values[k]!;
  };
  const most = f.scalar(maxNorm);
  const norm = f.norm(placeCount, at, f.scalar(multiplier));
  const excess = f.sub(norm, most);
  const factor = f.where(excess, f.div(most, norm), f.scalar(1));
  return { ...gradient, values: Array.from(values, (value) => f.mul(value, factor)) };
}
