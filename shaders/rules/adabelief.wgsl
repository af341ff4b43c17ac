// AdaBelief (Zhuang et al. 2020, Algorithm 2); AMSGrad as Reddi, Kale & Kumar 2018, Algorithm 2.
//
//   m ← β₁m + (1−β₁)g              m̂ = m/(1−β₁ᵗ)
//   s ← β₂s + (1−β₂)(g−m)² + ε     ŝ = s/(1−β₂ᵗ)    (EPS_INSIDE; otherwise without ε; AMSGRAD: the largest s so far)
//   w ← w − ηr·m̂/(√ŝ+ε)                             (parts/rectification.wgsl: r, with RECTIFY)
//   w ← w − ηm̂                                      (RECTIFY, while the variance is not tractable)
//
// m → exp_avg, s → exp_avg_var, its maximum → max_exp_avg_var, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2,
// 1−β₁ᵗ → h.bias_correction1, 1−β₂ᵗ → h.bias_correction2, ε → h.eps, η → h.lr

override AMSGRAD: bool = false;
override EPS_INSIDE: bool = true;

/// What stands before m, and what √s is multiplied by.
var<private> step_size: f32;
var<private> s_scale: f32;

fn prepare() {
  prepare_rectification();
  step_size = h.lr / h.bias_correction1 * rectification;
  s_scale = 1.0 / sqrt(h.bias_correction2);
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  let surprise = g - exp_avg;
  exp_avg_var = lerp(exp_avg_var, surprise * surprise, h.one_minus_beta2);
  if (EPS_INSIDE) {
    exp_avg_var = exp_avg_var + h.eps;
  }
  var s = exp_avg_var;
  if (AMSGRAD) {
    s = larger(max_exp_avg_var, s);
    max_exp_avg_var = s;
  }
  // No branch: it would cost a CPU more than a division in vain.
  return w - step_size * select(exp_avg, exp_avg / (sqrt(s) * s_scale + h.eps), is_adaptive);
}
