import { averagesOf, switchConstants } from '../kernel/variant.js';
import type { Rule } from '../rules/rule.js';
import type { Arithmetic } from './arithmetic.js';

/** A rule over some arithmetic. */
export interface ElementRule<N> {
  /** The scalars that `update` takes, from those of a step in float64; t is its 1-based count. */
  readonly prepare: (scalars: Readonly<Record<string, number>>, t: number) => Record<string, N>;
  /** Updates one element: returns the new weight and updates the state `s` in place. */
  readonly update: (w: N, g: N, s: Record<string, N>, h: Record<string, N>) => N;
}

/** The CPU twin of `step` and `step_lane` in `shaders/step.wgsl`, over any arithmetic. */
export function makeElementRule<N>(f: Arithmetic<N>, rule: Rule, clamped = false): ElementRule<N> {
  const on = switchConstants(rule);
  const { prepare, reference } = rule.declaration;
  const averages = averagesOf(rule);
  let count = 0;
  return {
    prepare: (scalars, t) => {
      count = t;
      const h = Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, f.scalar(value)]));
      return prepare ? { ...h, ...prepare(f, h, on, t) } : h;
    },
    update: (weight, gradient, s, h) => {
      const decay = h['decay']!;
      let w = weight;
      let g = gradient;
      g = f.mul(g, h['grad_multiplier']!);
      if (clamped) g = f.clamp(g, h['max_grad_value']!);
      if (on['MAXIMIZE']) g = f.neg(g);
      if (on['DECAY_GRADIENT']) g = f.add(g, f.mul(decay, w));
      if (on['DECAY_WEIGHT']) w = f.sub(w, f.mul(decay, w));
      w = reference(f, { w, g, s, h, on });
      for (const { declaration, options } of averages) {
        const { slot } = declaration;
        const step = { before: weight, after: w, average: s[slot]!, h, t: count };
        const result = declaration.reference(f, step, options);
        s[slot] = result.average;
        w = result.weight;
      }
      return w;
    },
  };
}
