// Adam's moments and what they make of a step size (Kingma & Ba 2015, Algorithm 1); composed behind the rule that uses it.
//
//   m ← β₁m + (1−β₁)g        m̂ = m/(1−β₁ᵗ)
//   v ← β₂v + (1−β₂)g²       v̂ = v/(1−β₂ᵗ)    (amsgrad.wgsl: the largest so far of v, or of v̂ with
//                                                         AMSGRAD_CORRECTED, in its place)
//   ηm̂/(√v̂+ε)                                  (denominator.wgsl: the other places of ε)
//
// m → exp_avg, v → exp_avg_sq, its maximum → max_exp_avg_sq, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2,
// 1−β₁ᵗ → h.bias_correction1, 1−β₂ᵗ → h.bias_correction2, η → h.lr

override AMSGRAD_CORRECTED: bool = false;

/// What stands before m.
var<private> step_size: f32;
/// What corrects v before its maximum is taken.
var<private> v_correction: f32;

fn prepare() {
  step_size = scale_step(h.lr / h.bias_correction1);
  prepare_denominator();
  if (AMSGRAD_CORRECTED) {
    v_correction = 1.0 / h.bias_correction2;
    v_scale = 1.0;
  }
}

fn take_moments(g: lane) {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_sq = lerp(exp_avg_sq, g * g, h.one_minus_beta2);
}

/// How far the weight moves, with m as its direction.
fn adam_step(m: lane) -> lane {
  var v = exp_avg_sq;
  if (AMSGRAD_CORRECTED) {
    v = v * v_correction;
  }
  return step_size * (m / denominator(largest(v)));
}
