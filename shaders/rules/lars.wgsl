// LARS (You, Gitman & Ginsburg 2017, Algorithm 1): momentum on a gradient that is scaled by a trust ratio per tensor.
//
//   ρ ← τ‖w‖ / (‖g‖ + d‖w‖ + ε)     and 1 where ‖w‖ or ‖g‖ is 0
//   ρ ← min(ρ/η, 1)                 (TRUST_CLIP)
//   v, w ← momentum's, on ρ(g + dw) in place of g: parts/velocity.wgsl, parts/dampening.wgsl
//
// d‖w‖ and dw are there if DECAY_UPDATE; otherwise decay is in g already, or nowhere. Without ADAPT, ρ = 1.
// ρ → tensor.trust_ratio, τ → h.trust_coefficient, d → h.weight_decay, ε → h.eps, η → h.lr; ‖w‖, ‖g‖ → norms

override ADAPT: bool = true;
override TRUST_CLIP: bool = false;
override DECAY_UPDATE: bool = false;

fn measure(w: lane, g: lane) -> Measured {
  return Measured(w, g);
}

fn summarize(norms: Norms) {
  tensor.trust_ratio = 1.0;
  if (!ADAPT || !(norms[0] > 0.0) || !(norms[1] > 0.0)) {
    return;
  }
  var denominator = norms[1];
  if (DECAY_UPDATE) {
    denominator = denominator + h.weight_decay * norms[0];
  }
  var ratio = h.trust_coefficient * norms[0] / (denominator + h.eps);
  if (TRUST_CLIP) {
    ratio = ratio / h.lr;
    // Not `min`, which may turn a NaN into a number.
    ratio = select(ratio, 1.0, ratio > 1.0);
  }
  tensor.trust_ratio = ratio;
}

fn update(w: lane, g: lane) -> lane {
  var direction = g;
  if (DECAY_UPDATE) {
    direction = g + h.weight_decay * w;
  }
  let d = tensor.trust_ratio * direction;
  return advance(w, d, undamped * d);
}
