import { switchConstants } from '../kernel/variant.js';
import type { Rule } from '../rules/rule.js';
import type { Arithmetic } from './arithmetic.js';

/** Updates one element: returns the new weight and updates the state `s` in place. */
export type ElementUpdate<N> = (w: N, g: N, s: Record<string, N>, h: Record<string, N>) => N;

/** The CPU twin of `step_lane` in `shaders/step.wgsl`, over any arithmetic. */
export function makeElementUpdate<N>(f: Arithmetic<N>, rule: Rule): ElementUpdate<N> {
  const on = switchConstants(rule);
  const { reference } = rule.declaration;
  return (weight, gradient, s, h) => {
    const decay = h['decay']!;
    let w = weight;
    let g = gradient;
    if (on['MAXIMIZE']) g = f.neg(g);
    if (on['DECAY_GRADIENT']) g = f.add(g, f.mul(decay, w));
    if (on['DECAY_WEIGHT']) w = f.sub(w, f.mul(decay, w));
    return reference(f, { w, g, s, h, on });
  };
}
