import wgsl from '../../../shaders/rules/parts/rectification.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { correctionOf } from '../declaring/declaration.js';
import { boolean, number } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

/** Options of a rule with rectified steps. */
export interface RectificationOptions {
  /**
   * Rectify the variance of the step (Liu et al. 2020): while its degrees of freedom ρₜ are at or below
   * `rectificationThreshold`, in the first steps, take momentum's step ηm̂; afterwards, scale Adam's. Default true.
   */
  rectify?: boolean;
  /** The threshold of ρₜ, ≥ 4, below which it is not defined. Default 5, as PyTorch and optax; the paper has 4. */
  rectificationThreshold?: number;
}

type Resolved = Readonly<Required<RectificationOptions>> & { readonly betas: readonly [number, number] };

/** ln(1/β₂) above which the series is never used, so that its infinity at β₂ = 0 need not be passed on. */
const FAST = 2;

type RhoScalar = 'rho_inf' | 'rho_offset' | 'half_rate' | 'rho_threshold' | 'rho_gain';
type PreparedFrom<N> = Readonly<Record<RhoScalar | 't' | 'bias_correction2' | 'root_correction', N>>;

/** Rectified steps, for a rule that calls `prepare_rectification` and reads `is_adaptive` and `rectification`. */
export const rectifying = declarePart({
  wgsl,
  options: { rectify: boolean(true), rectificationThreshold: number(5, 4) },
  switches: (o: Resolved) => ({ RECTIFY: o.rectify }),
  scalars: ({ betas: [, beta2], rectificationThreshold }: Resolved) => {
    const rho_inf = 2 / (1 - beta2) - 1;
    const rate = Math.min(-Math.log(beta2), FAST);
    return {
      rho_inf,
      rho_offset: rho_inf - 2 / rate,
      half_rate: rate / 2,
      rho_threshold: rectificationThreshold,
      // ρₜ < ρ∞: at ρ∞ ≤ 4 no threshold is ever passed.
      rho_gain: rho_inf > 4 ? rho_inf / ((rho_inf - 4) * (rho_inf - 2)) : 0,
      root_correction: correctionOf(Math.sqrt(beta2)),
    };
  },
  /** `excess` is positive where the step is Adam's, and `rectification` is r there. */
  prepare: <N>(
    { scalar, add, sub, mul, div, sqrt, where }: Arithmetic<N>,
    h: PreparedFrom<N>,
    on: Readonly<Record<'RECTIFY', boolean>>,
  ) => {
    if (!on.RECTIFY) return { excess: scalar(1), rectification: scalar(1) };
    const root = sub(scalar(1), h.root_correction);
    const late = div(mul(mul(scalar(-2), h.t), mul(root, root)), h.bias_correction2);
    const x = mul(h.t, h.half_rate);
    let fraction = scalar(15);
    for (let odd = 13; odd > 2; odd -= 2) fraction = add(scalar(odd), div(mul(x, x), fraction));
    const early = sub(h.rho_offset, div(mul(h.t, x), fraction));
    const isEarly = sub(scalar(0.5), x);
    const near = where(isEarly, h.t, h.rho_inf);
    const rest = where(isEarly, early, late);
    const above = (level: N) => add(sub(near, level), rest);
    const product = mul(above(scalar(4)), above(scalar(2)));
    const excess = above(h.rho_threshold);
    const rectification = sqrt(mul(div(product, add(near, rest)), h.rho_gain));
    return { excess, rectification: where(excess, rectification, scalar(1)) };
  },
});
