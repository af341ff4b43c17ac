// Adamax (Kingma & Ba 2015, Algorithm 2).
//
//   m ← β₁m + (1−β₁)g        m̂ = m/(1−β₁ᵗ)
//   u ← max(β₂u, |g|+ε)      w ← w − ηm̂/u      (EPS_INSIDE)
//   u ← max(β₂u, |g|)        w ← w − ηm̂/(u+ε)  (otherwise)
//
// m → exp_avg, u → exp_inf, 1−β₁ → h.one_minus_beta1, β₂ → h.beta2, 1−β₁ᵗ → h.bias_correction1, ε → h.eps, η → h.lr

override EPS_INSIDE: bool = true;

/// What stands before m.
var<private> step_size: f32;

fn prepare() {
  step_size = h.lr / h.bias_correction1;
}

fn update(w: lane, g: lane) -> lane {
  exp_avg = lerp(exp_avg, g, h.one_minus_beta1);
  if (EPS_INSIDE) {
    exp_inf = larger(h.beta2 * exp_inf, abs(g) + h.eps);
    return w - step_size * (exp_avg / exp_inf);
  }
  exp_inf = larger(h.beta2 * exp_inf, abs(g));
  return w - step_size * (exp_avg / (exp_inf + h.eps));
}
