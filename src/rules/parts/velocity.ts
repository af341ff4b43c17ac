import wgsl from '../../../shaders/rules/parts/velocity.wgsl?raw';
import type { Arithmetic } from '../arithmetic.js';

/** WGSL to compose behind a rule that calls `advance`. */
export const velocityWgsl = wgsl;

/** The switches of that WGSL. */
export type VelocitySwitch = 'NESTEROV' | 'LR_IN_VELOCITY';

interface VelocityForm {
  readonly nesterov: boolean;
  readonly lrInVelocity: boolean;
}

/** Values of the switches. */
export function velocitySwitches(o: VelocityForm): Record<VelocitySwitch, boolean> {
  return { NESTEROV: o.nesterov, LR_IN_VELOCITY: o.lrInVelocity };
}

/** What is wrong with Nesterov's form without momentum, if that is what the options say. */
export function nesterovComplaint(o: VelocityForm & { readonly momentum: number }): string | undefined {
  if (!o.nesterov || o.momentum !== 0) return undefined;
  return 'nesterov with momentum 0 looks nowhere ahead; give a momentum > 0 or set nesterov to false.';
}

/** What `advance` sees of an element. */
interface MovingElement<N> {
  readonly w: N;
  readonly s: { momentum_buffer: N };
  readonly h: Readonly<Record<'momentum' | 'lr', N>>;
  readonly on: Readonly<Record<VelocitySwitch, boolean>>;
}

/** Twin of `advance`: updates the velocity and returns the new weight. */
export function advance<N>(
  { add, sub, mul }: Arithmetic<N>,
  { w, s, h, on }: MovingElement<N>,
  d: N,
  f: N,
): N {
  if (on.LR_IN_VELOCITY) {
    s.momentum_buffer = sub(mul(h.momentum, s.momentum_buffer), mul(h.lr, f));
    if (on.NESTEROV) return add(w, sub(mul(h.momentum, s.momentum_buffer), mul(h.lr, d)));
    return add(w, s.momentum_buffer);
  }
  s.momentum_buffer = add(mul(h.momentum, s.momentum_buffer), f);
  if (on.NESTEROV) return sub(w, mul(h.lr, add(d, mul(h.momentum, s.momentum_buffer))));
  return sub(w, mul(h.lr, s.momentum_buffer));
}
