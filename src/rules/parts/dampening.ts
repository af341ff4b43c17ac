import wgsl from '../../../shaders/rules/parts/dampening.wgsl?raw';
import type { Arithmetic } from '../arithmetic.js';
import { type OptionSpec, boolean, number } from '../options.js';
import { type VelocitySwitch, nesterovComplaint, velocitySwitches, velocityWgsl } from './velocity.js';

/** WGSL to compose behind a rule that calls `advance` and reads `undamped`; it has `prepare()`. */
export const dampedVelocityWgsl: string = `${velocityWgsl}\n${wgsl}`;

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

/** The options' specs. */
export function velocityOptions(): { readonly [K in keyof Resolved]: OptionSpec<Resolved[K]> } {
  return {
    momentum: number(0.9, 0, 1),
    nesterov: boolean(false),
    dampening: number(0, 0),
    dampenFirstStep: boolean(false),
    lrInVelocity: boolean(true),
  };
}

/** What is wrong with a combination of the options, if anything. */
export function velocityComplaint(o: Resolved): string | undefined {
  if (o.nesterov && o.dampening !== 0) {
    return `nesterov with dampening ${o.dampening} is not defined; set dampening to 0 or nesterov to false.`;
  }
  return nesterovComplaint(o);
}

/** Values of the switches of the WGSL. */
export function dampedVelocitySwitches(o: Resolved): Record<VelocitySwitch | 'DAMPEN_FIRST_STEP', boolean> {
  return { DAMPEN_FIRST_STEP: o.dampenFirstStep, ...velocitySwitches(o) };
}

type VelocityScalar = 'lr' | 'momentum' | 'one_minus_dampening';

/** The scalars that it reads. */
export function velocityScalars(o: Resolved, lr: number): Record<VelocityScalar, number> {
  return { lr, momentum: o.momentum, one_minus_dampening: 1 - o.dampening };
}

/** Twin of its `prepare()`. */
export function prepareVelocity<N, H extends Readonly<Record<VelocityScalar, N>>>(
  { scalar }: Arithmetic<N>,
  h: H,
  on: Readonly<Record<'DAMPEN_FIRST_STEP', boolean>>,
  t: number,
): H & { undamped: N } {
  return { ...h, undamped: t === 1 && !on.DAMPEN_FIRST_STEP ? scalar(1) : h.one_minus_dampening };
}
