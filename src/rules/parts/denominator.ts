import wgsl from '../../../shaders/rules/parts/denominator.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import type { EpsPlacement } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

type On = Readonly<Record<'EPS_INSIDE' | 'EPS_HAT', boolean>>;

/** Adam's denominator, for a rule that calls `prepare_denominator`, `scale_step` and `denominator`. */
export const adamDenominator = declarePart({
  wgsl,
  switches: ({ epsPlacement }: { readonly epsPlacement: EpsPlacement }) => ({
    EPS_INSIDE: epsPlacement === 'inside',
    EPS_HAT: epsPlacement === 'hat',
  }),
  prepare: <N>(
    { scalar, div, sqrt }: Arithmetic<N>,
    { bias_correction2 }: Readonly<Record<'bias_correction2', N>>,
    on: On,
  ) => ({ v_scale: div(scalar(1), on.EPS_INSIDE ? bias_correction2 : sqrt(bias_correction2)) }),
});

/** Twin of `scale_step`. */
export function scaleStep<N>(
  { mul, sqrt }: Arithmetic<N>,
  size: N,
  { bias_correction2 }: Readonly<Record<'bias_correction2', N>>,
  on: On,
): N {
  return on.EPS_HAT ? mul(size, sqrt(bias_correction2)) : size;
}

/** Twin of `denominator`. */
export function denominator<N>(
  { add, mul, sqrt }: Arithmetic<N>,
  v: N,
  { v_scale, eps }: Readonly<Record<'v_scale' | 'eps', N>>,
  on: On,
): N {
  if (on.EPS_INSIDE) return sqrt(add(mul(v, v_scale), eps));
  if (on.EPS_HAT) return add(sqrt(v), eps);
  return add(mul(sqrt(v), v_scale), eps);
}
