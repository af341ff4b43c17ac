// NAdam (Dozat 2016, Algorithm 2), with the momentum schedule of its section 2.2.
//
//   m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²        v̂ = v/(1−β₂ᵗ)
//   μᵢ = β₁(1 − ½dⁱ)         Πₜ = μ₁μ₂⋯μₜ
//   w ← w − η(μₜ₊₁m/(1−Πₜ₊₁) + (1−μₜ)g/(1−Πₜ))/(√v̂+ε)    (parts/denominator.wgsl: the other places of ε)
//
// m → exp_avg, v → exp_avg_sq, β₁ → h.beta1, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2, d → h.damping,
// 1−β₂ᵗ → h.bias_correction2, 1−Πₜ → h.mu_correction, 1−dᵗᐟ² → h.damping_correction, η → h.lr. The root is there for
// its digits: the square of its complement is dᵗ to some ULP even where 1−dᵗ has rounded most of dᵗ away.

/// What stands before g and before m.
var<private> gradient_size: f32;
var<private> momentum_size: f32;

fn prepare() {
  let root = 1.0 - h.damping_correction;
  // β₁ − μ of this step and of the next. Below, sums have no terms of opposite sign: nothing cancels.
  let missing = 0.5 * h.beta1 * (root * root);
  let next_missing = h.damping * missing;
  let next_mu = h.beta1 - next_missing;
  let next_correction = h.one_minus_beta1 + next_missing + next_mu * h.mu_correction;
  gradient_size = scale_step(h.lr * (h.one_minus_beta1 + missing) / h.mu_correction);
  momentum_size = scale_step(h.lr * next_mu / next_correction);
  prepare_denominator();
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_sq = lerp(exp_avg_sq, g * g, h.one_minus_beta2);
  return w - (momentum_size * exp_avg + gradient_size * g) / denominator(exp_avg_sq);
}
