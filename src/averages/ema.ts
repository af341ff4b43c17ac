import wgsl from '../../shaders/averages/ema.wgsl?raw';
import { boolean, choice, integer, number } from '../rules/options/options.js';
import { FLOAT32_INTEGERS, defineAverage } from './average.js';

/** Options of an exponential moving average of the weights. */
export interface EmaOptions {
  /** Decay d in [0, 1), e.g. 0.999. */
  decay: number;
  /** Limit d to (1+n)/(10+n), n the number of averages before, as TensorFlow with `num_updates`. Default false. */
  warmup?: boolean;
  /** Applied steps before averaging begins; until then the average is the weights. Default 0. */
  startStep?: number;
  /**
   * What the first average is: `'params'` (default) averages with the weights before the first averaged step, as
   * optax and TensorFlow; `'first-update'` takes the weights after it, as PyTorch's `AveragedModel`.
   */
  init?: 'params' | 'first-update';
}

/** The declaration of `ema`; the formula is in its WGSL's header. */
export const ema = defineAverage<Required<EmaOptions>>({
  name: 'ema',
  wgsl,
  slot: 'ema',
  options: {
    decay: number(NaN, 0, 1),
    warmup: boolean(false),
    startStep: integer(0, 0, FLOAT32_INTEGERS),
    init: choice<'params' | 'first-update'>('params', ['params', 'first-update']),
  },
  switches: (o) => ({ EMA_WARMUP: o.warmup, EMA_FROM_PARAMS: o.init === 'params' }),
  scalars: (o) => ({ ema_one_minus_decay: 1 - o.decay, ema_start: o.startStep }),
  reference: ({ scalar, div, larger, lerp }, { before, after, average, h, t }, o) => {
    let weight = h['ema_one_minus_decay'] as typeof after;
    if (o.warmup) weight = larger(weight, div(scalar(9), scalar(9 + (t - o.startStep))));
    if (t > o.startStep + 1) return { average: lerp(average, after, weight), weight: after };
    const fromParams = o.init === 'params' && t === o.startStep + 1;
    return { average: fromParams ? lerp(before, after, weight) : after, weight: after };
  },
});
