// Adan (Xie et al. 2022, Algorithm 1, with the bias corrections of the authors' code, whose βs are one minus the
// paper's).
//
//   Δ = g − g′, 0 at the first step              g′: the gradient of the step before
//   m ← β₁m + (1−β₁)g      v ← β₂v + (1−β₂)Δ     n ← β₃n + (1−β₃)(g + β₂Δ)²
//   w ← w − η(m/(1−β₁ᵗ) + β₂v/(1−β₂ᵗ)) / (√(n/(1−β₃ᵗ)) + ε)
//   w ← w/(1+ηd)                                 (PROXIMAL)
//
// m → exp_avg, v → exp_avg_diff, n → exp_avg_sq, −g′ → neg_pre_grad, β₂ → h.beta2, 1−β → h.one_minus_beta1 to 3,
// 1−βᵗ → h.bias_correction1 to 3, ε → h.eps, η → h.lr, ηd → h.decay

override PROXIMAL: bool = false;

/// What stands before m and v.
var<private> step_size: f32;
var<private> step_size_diff: f32;
/// What √n is multiplied by.
var<private> n_scale: f32;
/// 0 at the first step, then 1.
var<private> has_previous: f32;
/// What proximal decay leaves of a weight.
var<private> kept: f32;

fn prepare() {
  step_size = h.lr / h.bias_correction1;
  step_size_diff = h.lr * h.beta2 / h.bias_correction2;
  n_scale = 1.0 / sqrt(h.bias_correction3);
  has_previous = select(1.0, 0.0, h.t == 1.0);
  kept = 1.0 / (1.0 + h.decay);
}

fn update(w: lane, g: lane) -> lane {
  let difference = has_previous * (g + neg_pre_grad);
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_diff = lerp(exp_avg_diff, difference, h.one_minus_beta2);
  let ahead = g + h.beta2 * difference;
  exp_avg_sq = lerp(exp_avg_sq, ahead * ahead, h.one_minus_beta3);
  neg_pre_grad = -g;
  let denominator = sqrt(exp_avg_sq) * n_scale + h.eps;
  let moved = w - (step_size * exp_avg + step_size_diff * exp_avg_diff) / denominator;
  if (PROXIMAL) {
    return moved * kept;
  }
  return moved;
}
