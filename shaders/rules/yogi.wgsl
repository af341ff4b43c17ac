// Yogi (Zaheer et al. 2018, Algorithm 2).
//
//   m ← β₁m + (1−β₁)g        m̂ = m/(1−β₁ᵗ)
//   v ← v − (1−β₂)·sign(v − g²)·g²
//   w ← w − ηm̂/(√v̂+ε)                         (parts/denominator.wgsl: the other places of ε)
//
// m → exp_avg, v → exp_avg_sq, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2, 1−β₁ᵗ → h.bias_correction1,
// 1−β₂ᵗ → h.bias_correction2, η → h.lr

/// What stands before m.
var<private> step_size: f32;

fn prepare() {
  step_size = scale_step(h.lr / h.bias_correction1);
  prepare_denominator();
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  let squared = g * g;
  exp_avg_sq = exp_avg_sq - sign_of(exp_avg_sq - squared) * (h.one_minus_beta2 * squared);
  return w - step_size * (exp_avg / denominator(exp_avg_sq));
}
