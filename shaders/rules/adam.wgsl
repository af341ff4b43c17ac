// Adam (Kingma & Ba 2015, Algorithm 1); AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2).
//
//   m ← β₁m + (1−β₁)g        m̂ = m/(1−β₁ᵗ)
//   v ← β₂v + (1−β₂)g²       v̂ = v/(1−β₂ᵗ)    (AMSGRAD: the largest v so far, in its place)
//   w ← w − ηm̂/(√v̂+ε)
//   w ← w − ηm̂/√(v̂+ε)                         (EPS_INSIDE)
//   w ← w − η√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v+ε)      (EPS_HAT: Kingma & Ba, end of section 2)
//
// m → exp_avg, v → exp_avg_sq, its maximum → max_exp_avg_sq, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2,
// 1−β₁ᵗ → h.bias_correction1, 1−β₂ᵗ → h.bias_correction2, ε → h.eps, η → h.lr

override AMSGRAD: bool = false;
override EPS_INSIDE: bool = false;
override EPS_HAT: bool = false;

/// What stands before m.
var<private> step_size: f32;
/// What √v (or v, inside the root) is multiplied by.
var<private> v_scale: f32;

fn prepare() {
  step_size = h.lr / h.bias_correction1;
  if (EPS_HAT) {
    step_size = step_size * sqrt(h.bias_correction2);
  }
  if (EPS_INSIDE) {
    v_scale = 1.0 / h.bias_correction2;
  } else {
    v_scale = 1.0 / sqrt(h.bias_correction2);
  }
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  exp_avg_sq = lerp(exp_avg_sq, g * g, h.one_minus_beta2);
  var v = exp_avg_sq;
  if (AMSGRAD) {
    v = larger(max_exp_avg_sq, v);
    max_exp_avg_sq = v;
  }
  var denominator = sqrt(v) * v_scale + h.eps;
  if (EPS_INSIDE) {
    denominator = sqrt(v * v_scale + h.eps);
  }
  if (EPS_HAT) {
    denominator = sqrt(v) + h.eps;
  }
  return w - step_size * (exp_avg / denominator);
}
