import wgsl from '../../../shaders/rules/parts/dampening.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { boolean, number } from '../options/options.js';
import { declarePart } from '../declaring/part.js';
import { velocity } from './velocity.js';

/** Options of rules whose weights move with a velocity, and with nothing else: momentum's. */
export interface VelocityOptions {
  /** Decay λ of the velocity, in [0, 1). Default 0.9. */
  momentum?: number;
  /** Nesterov's look-ahead. Needs `momentum` > 0 and `dampening` 0. Default false. */
  nesterov?: boolean;
  /** Dampening τ ≥ 0 of the gradient in the velocity, from the second step on, as PyTorch. Default 0. */
  dampening?: number;
  /** Dampen the first step too, as MLX; PyTorch starts the velocity with the whole gradient. Default false. */
  dampenFirstStep?: boolean;
  /** Whether the velocity holds ηg (Keras, TensorFlow's Keras) or g (PyTorch, TensorFlow.js). Default true. */
  lrInVelocity?: boolean;
}

type Resolved = Readonly<Required<VelocityOptions>>;

/** A velocity that may be dampened, for a rule with a scalar `lr` that calls `advance` and reads `undamped`. */
export const dampedVelocity = declarePart({
  wgsl,
  parts: [velocity],
  options: {
    momentum: number(0.9, 0, 1),
    dampening: number(0, 0),
    dampenFirstStep: boolean(false),
  },
  complaint: ({ nesterov, dampening }: Resolved) =>
    nesterov && dampening !== 0
      ? `nesterov with dampening ${dampening} is not defined; set dampening to 0 or nesterov to false.`
      : undefined,
  slots: [{ name: 'momentum_buffer' }],
  switches: (o: Resolved) => ({ DAMPEN_FIRST_STEP: o.dampenFirstStep }),
  scalars: (o: Resolved) => ({ momentum: o.momentum, one_minus_dampening: 1 - o.dampening }),
  prepare: <N>(
    { scalar }: Arithmetic<N>,
    h: Readonly<Record<'one_minus_dampening', N>>,
    on: Readonly<Record<'DAMPEN_FIRST_STEP', boolean>>,
    t: number,
  ) => ({ undamped: t === 1 && !on.DAMPEN_FIRST_STEP ? scalar(1) : h.one_minus_dampening }),
});
