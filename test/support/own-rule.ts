/** A user's rule, with all that one may have: a part of its own, a switch, a correction, prepared numbers. */
import { correctionOf, definePart, defineRule, option } from '../../src/index.js';

const floor = definePart({
  wgsl: `
override FLOORED: bool = false;

fn floored(x: lane) -> lane {
  if (FLOORED) {
    return larger(x, lane(h.floor));
  }
  return x + h.floor;
}`,
  options: { floor: option.number(1e-3, 0), floored: option.boolean(false) },
  switches: (o: { readonly floored: boolean }) => ({ FLOORED: o.floored }),
  scalars: (o: { readonly floor: number }) => ({ floor: o.floor }),
});

/** m ← βm + (1−β)g; w ← w − ηm̂/(|m̂|+ε), or with `floored` w ← w − ηm̂/max(|m̂|, ε). */
export const softSign = defineRule({
  name: 'softSign',
  wgsl: `
var<private> m_scale: f32;

fn prepare() {
  m_scale = 1.0 / h.bias_correction;
}

fn update(w: lane, g: lane) -> lane {
  mean = lerp(mean, g, h.one_minus_beta);
  let m = m_scale * mean;
  return w - h.lr * (m / floored(abs(m)));
}`,
  parts: [floor],
  options: { ...option.common(0.01), beta: option.number(0.9, 0, 1), start: option.numberAtStart(0, 0) },
  slots: [{ name: 'mean', initial: (o) => o.start }],
  scalars: (o, lr) => ({ lr, one_minus_beta: 1 - o.beta, bias_correction: correctionOf(o.beta) }),
  prepare: ({ scalar, div }, h) => ({ m_scale: div(scalar(1), h.bias_correction) }),
  reference: ({ add, sub, mul, div, abs, lerp, larger }, { w, g, s, h, on }) => {
    s.mean = lerp(s.mean, g, h.one_minus_beta);
    const m = mul(h.m_scale, s.mean);
    const size = abs(m);
    return sub(w, mul(h.lr, div(m, on.FLOORED ? larger(size, h.floor) : add(size, h.floor))));
  },
});
