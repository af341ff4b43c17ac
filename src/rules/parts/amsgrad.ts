import wgsl from '../../../shaders/rules/parts/amsgrad.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { boolean } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

/** AMSGrad's maximum, for a rule that calls `largest`. */
export const amsgrad = declarePart({
  wgsl,
  options: { amsgrad: boolean(false) },
  slots: [
    { name: 'max_exp_avg_sq', isNonNegative: true, usedBy: (o: { readonly amsgrad: boolean }) => o.amsgrad },
  ],
  switches: (o: { readonly amsgrad: boolean }) => ({ AMSGRAD: o.amsgrad }),
});

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
