import wgsl from '../../../shaders/rules/parts/caution.wgsl?raw';
import type { Arithmetic } from '../../reference/arithmetic.js';

/** WGSL to compose behind a rule that calls `agreeing`. */
export const cautionWgsl = wgsl;

/** Twin of `agreeing`. */
export function agreeing<N>({ load, neg, where }: Arithmetic<N>, m: N, g: N): N {
  const zero = load(0);
  const ifFalling = where(neg(m), where(neg(g), m, zero), zero);
  return where(m, where(g, m, zero), ifFalling);
}
