import wgsl from '../../shaders/velocity.wgsl?raw';
import type { Arithmetic } from '../reference/arithmetic.js';
import { type OptionSpec, boolean, number } from './options.js';

/** Options of rules that move weights with a velocity. */
export interface VelocityOptions {
  /** Decay λ of the velocity, in [0, 1). Default 0.9. */
  momentum?: number;
  /** Nesterov's look-ahead. Needs `momentum` > 0 and `dampening` 0. Default false. */
  nesterov?: boolean;
  /** Dampening τ ≥ 0 of the gradient in the velocity, from the second step on, as PyTorch. Default 0. */
  dampening?: number;
  /** Whether the velocity holds ηg (Keras, TensorFlow's Keras) or g (PyTorch, TensorFlow.js). Default true. */
  lrInVelocity?: boolean;
}

type Resolved = Readonly<Required<VelocityOptions>>;

/** The specs of {@link VelocityOptions}. */
export const velocityOptions: { readonly [K in keyof Resolved]: OptionSpec<Resolved[K]> } = {
  momentum: number(0.9, 0, 1),
  nesterov: boolean(false),
  dampening: number(0, 0),
  lrInVelocity: boolean(true),
};

/** What is wrong with a combination of {@link VelocityOptions}, if anything. */
export function velocityComplaint(o: Resolved): string | undefined {
  if (o.nesterov && o.dampening !== 0) {
    return `nesterov with dampening ${o.dampening} is not defined; set dampening to 0 or nesterov to false.`;
  }
  if (o.nesterov && o.momentum === 0) {
    return 'nesterov with momentum 0 looks nowhere ahead; give a momentum > 0 or set nesterov to false.';
  }
  return undefined;
}

/** Source of `prepare()` and `move_with_velocity(w, g)`, to follow a rule's own. */
export const VELOCITY_WGSL = `\n${wgsl}`;

/** The switches of {@link VELOCITY_WGSL}. */
export const velocitySwitches = (o: Resolved): Record<'NESTEROV' | 'LR_IN_VELOCITY', boolean> => ({
  NESTEROV: o.nesterov,
  LR_IN_VELOCITY: o.lrInVelocity,
});

type VelocityScalar = 'lr' | 'momentum' | 'one_minus_dampening';

/** The scalars of {@link VELOCITY_WGSL}. */
export const velocityScalars = (o: Resolved, lr: number): Record<VelocityScalar, number> => ({
  lr,
  momentum: o.momentum,
  one_minus_dampening: 1 - o.dampening,
});

/** Twin of its `prepare()`. */
export function prepareVelocity<N, H extends Record<VelocityScalar, N>>(
  { scalar }: Arithmetic<N>,
  h: H,
  t: number,
): H & { undamped: N } {
  return { ...h, undamped: t === 1 ? scalar(1) : h.one_minus_dampening };
}

/** Twin of its `move_with_velocity`; g is the gradient, or what takes its place. */
export function moveWithVelocity<N>(
  { add, sub, mul }: Arithmetic<N>,
  w: N,
  g: N,
  s: { momentum_buffer: N },
  h: Readonly<Record<VelocityScalar | 'undamped', N>>,
  on: Readonly<Record<'NESTEROV' | 'LR_IN_VELOCITY', boolean>>,
): N {
  if (on.LR_IN_VELOCITY) {
    s.momentum_buffer = sub(mul(h.momentum, s.momentum_buffer), mul(h.lr, mul(h.undamped, g)));
    if (on.NESTEROV) return add(w, sub(mul(h.momentum, s.momentum_buffer), mul(h.lr, g)));
    return add(w, s.momentum_buffer);
  }
  s.momentum_buffer = add(mul(h.momentum, s.momentum_buffer), mul(h.undamped, g));
  if (on.NESTEROV) return sub(w, mul(h.lr, add(g, mul(h.momentum, s.momentum_buffer))));
  return sub(w, mul(h.lr, s.momentum_buffer));
}
