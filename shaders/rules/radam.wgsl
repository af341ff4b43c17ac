// RAdam (Liu et al. 2020, Algorithm 2).
//
//   m ← β₁m + (1−β₁)g        m̂ = m/(1−β₁ᵗ)
//   v ← β₂v + (1−β₂)g²       v̂ = v/(1−β₂ᵗ)    (parts/amsgrad.wgsl: the largest v so far, in its place)
//   w ← w − ηr·m̂/(√v̂+ε)      (parts/rectification.wgsl: r; parts/denominator.wgsl: the other places of ε)
//   w ← w − ηm̂               (while the variance is not tractable)
//
// m → exp_avg, v → exp_avg_sq, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2, 1−β₁ᵗ → h.bias_correction1, η → h.lr

/// What stands before m.
var<private> step_size: f32;

fn prepare() {
  prepare_denominator();
  prepare_rectification();
  step_size = h.lr / h.bias_correction1;
  if (is_adaptive) {
    step_size = scale_step(step_size) * rectification;
  }
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_sq = lerp(exp_avg_sq, g * g, h.one_minus_beta2);
  let v = largest(exp_avg_sq);
  // No branch: it would cost a CPU more than a division in vain.
  return w - step_size * select(exp_avg, exp_avg / denominator(v), is_adaptive);
}
