import wgsl from '../../../shaders/rules/parts/amsgrad.wgsl?raw';
import type { Arithmetic } from '../arithmetic.js';

/** WGSL to compose behind a rule that calls `largest` and has a slot `max_exp_avg_sq`, used by `amsgrad`. */
export const amsgradWgsl = wgsl;

/** Twin of `largest`. */
export function largest<N>(
  { larger }: Arithmetic<N>,
  v: N,
  s: { max_exp_avg_sq: N },
  on: Readonly<Record<'AMSGRAD', boolean>>,
): N {
  if (!on.AMSGRAD) return v;
  s.max_exp_avg_sq = larger(s.max_exp_avg_sq, v);
  return s.max_exp_avg_sq;
}
