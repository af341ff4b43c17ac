// LAMB (You et al. 2020, Algorithm 2): Adam's direction, scaled by a trust ratio per tensor.
//
//   m ← β₁m + (1−β₁)g         m̂ = m/(1−β₁ᵗ)     (m̂ = m and v̂ = v without CORRECT_BIAS)
//   v ← β₂v + (1−β₂)g²        v̂ = v/(1−β₂ᵗ)
//   r ← m̂/(√v̂+ε) + dw                            (DECAY_UPDATE; otherwise decay is in g already, or nowhere)
//   r ← m̂/√(v̂+ε) + dw                            (EPS_INSIDE)
//   ρ ← φ(‖w‖)/‖r‖, and 1 where ‖w‖ or ‖r‖ is 0    φ(x) = min(x, c) with CLAMP_NORM, else x; ρ = 1 without ADAPT
//   w ← w − ηρr
//
// m → exp_avg, v → exp_avg_sq, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2, 1−β₁ᵗ → h.bias_correction1,
// 1−β₂ᵗ → h.bias_correction2, ε → h.eps, d → h.weight_decay, c → h.clamp_value, η → h.lr, ρ → tensor.trust_ratio

override ADAPT: bool = true;
override CORRECT_BIAS: bool = true;
override EPS_INSIDE: bool = false;
override DECAY_UPDATE: bool = false;
override CLAMP_NORM: bool = false;

/// What m and √v (or v, inside the root) are multiplied by.
var<private> m_scale: f32;
var<private> v_scale: f32;

fn prepare() {
  m_scale = 1.0;
  v_scale = 1.0;
  if (CORRECT_BIAS) {
    m_scale = 1.0 / h.bias_correction1;
    v_scale = 1.0 / h.bias_correction2;
    if (!EPS_INSIDE) {
      v_scale = 1.0 / sqrt(h.bias_correction2);
    }
  }
}

/// r, from the moments with this gradient.
fn direction(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_sq = lerp(exp_avg_sq, g * g, h.one_minus_beta2);
  var denominator = sqrt(exp_avg_sq) * v_scale + h.eps;
  if (EPS_INSIDE) {
    denominator = sqrt(exp_avg_sq * v_scale + h.eps);
  }
  var r = (exp_avg * m_scale) / denominator;
  if (DECAY_UPDATE) {
    r = r + h.weight_decay * w;
  }
  return r;
}

fn measure(w: lane, g: lane) -> Measured {
  return Measured(w, direction(w, g));
}

fn summarize(norms: Norms) {
  tensor.trust_ratio = 1.0;
  if (!ADAPT || !(norms[0] > 0.0) || !(norms[1] > 0.0)) {
    return;
  }
  var size = norms[0];
  if (CLAMP_NORM) {
    // Not `min`, which may turn a NaN into a number.
    size = select(size, h.clamp_value, size > h.clamp_value);
  }
  tensor.trust_ratio = size / norms[1];
}

fn update(w: lane, g: lane) -> lane {
  return w - (h.lr * tensor.trust_ratio) * direction(w, g);
}
