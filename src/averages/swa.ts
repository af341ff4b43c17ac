import wgsl from '../../shaders/averages/swa.wgsl?raw';
import { integer } from '../rules/options/options.js';
import { FLOAT32_INTEGERS, defineAverage } from './average.js';

/** Options of stochastic weight averaging. */
export interface SwaOptions {
  /** The 1-based applied step whose weights are the first to be averaged, ≥ 1; until then the average is the weights. */
  start: number;
  /** Steps between averages, ≥ 1. */
  period: number;
}

/** The declaration of `swa`; the formula is in its WGSL's header. */
export const swa = defineAverage<SwaOptions>({
  name: 'swa',
  wgsl,
  slot: 'swa',
  options: { start: integer(NaN, 1, FLOAT32_INTEGERS), period: integer(NaN, 1, FLOAT32_INTEGERS) },
  switches: () => ({}),
  scalars: (o) => ({ swa_start: o.start, swa_period: o.period }),
  reference: ({ scalar, div, lerp }, { after, average, t }, o) => {
    if (t <= o.start) return { average: after, weight: after };
    if ((t - o.start) % o.period !== 0) return { average, weight: after };
    const weight = div(scalar(1), scalar((t - o.start) / o.period + 1));
    return { average: lerp(average, after, weight), weight: after };
  },
});
