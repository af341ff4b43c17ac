import wgsl from '../../shaders/averages/lookahead.wgsl?raw';
import { type OptionSpec, integer, number } from '../rules/options/options.js';
import { FLOAT32_INTEGERS, defineAverage } from './average.js';

/** Options of Lookahead. */
export interface LookaheadOptions {
  /** Steps k between synchronizations, ≥ 1. */
  every: number;
  /** How far the slow weights move towards the fast ones, in (0, 1]. */
  alpha: number;
}

const share: OptionSpec<number> = {
  ...number(NaN, 0),
  range: 'a number in (0, 1]',
  accepts: (value) => typeof value === 'number' && value > 0 && value <= 1,
};

/** The declaration of `lookahead`; the formula is in its WGSL's header. */
export const lookahead = defineAverage<LookaheadOptions>({
  name: 'lookahead',
  wgsl,
  slot: 'slow',
  options: { every: integer(NaN, 1, FLOAT32_INTEGERS), alpha: share },
  switches: () => ({}),
  scalars: (o) => ({ lookahead_every: o.every, lookahead_alpha: o.alpha }),
  reference: ({ lerp }, { before, after, average, h, t }, o) => {
    const slow = t === 1 ? before : average;
    if (t % o.every !== 0) return { average: slow, weight: after };
    const moved = lerp(slow, after, h['lookahead_alpha']!);
    return { average: moved, weight: moved };
  },
});
