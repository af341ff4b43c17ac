import wgsl from '../../../shaders/rules/parts/velocity.wgsl?raw';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { boolean } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

/** The options that decide how a velocity moves the weight. */
export interface VelocityForm {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly lrInVelocity: boolean;
}

/** A velocity, for a rule with scalars `lr` and `momentum` and a slot `momentum_buffer` that calls `advance`. */
export const velocity = declarePart({
  wgsl,
  options: { nesterov: boolean(false), lrInVelocity: boolean(true) },
  complaint: (o: VelocityForm) =>
    o.nesterov && o.momentum === 0
      ? 'nesterov with momentum 0 looks nowhere ahead; give a momentum > 0 or set nesterov to false.'
      : undefined,
  switches: (o: VelocityForm) => ({ NESTEROV: o.nesterov, LR_IN_VELOCITY: o.lrInVelocity }),
});

/** What `advance` sees of an element. */
interface MovingElement<N> {
  readonly w: N;
  readonly s: { momentum_buffer: N };
  readonly h: Readonly<Record<'momentum' | 'lr', N>>;
  readonly on: Readonly<Record<'NESTEROV' | 'LR_IN_VELOCITY', boolean>>;
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
