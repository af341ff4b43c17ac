// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): momentum, made orthogonal.
//
//   B ← B + (1−μ)(g−B)
//   u = B                                       NESTEROV: u = g + μ(B−g)
//   u = μB/(1−μᵗ⁺¹) + (1−μ)g/(1−μᵗ)             NESTEROV with BIAS_CORRECTION, as optax
//   w ← w − ηo
//
// It runs twice. With DIRECTING, `update` returns u; stages/matrix make o of it, scaled; then o stands in place of the gradient.
// B → momentum_buffer, μ → h.momentum, 1−μ → h.one_minus_momentum, 1−μᵗ → h.bias_correction, 1−μᵗ⁺¹ → next_correction,
// η → h.lr

override DIRECTING: bool = false;
override NESTEROV: bool = true;
override BIAS_CORRECTION: bool = false;

var<private> next_correction: f32;

fn prepare() {
  next_correction = h.one_minus_momentum + h.momentum * h.bias_correction;
  if (!DIRECTING) {
    // The gradient was scaled when it entered the momentum.
    h.grad_multiplier = 1.0;
  }
}

fn direction(g: lane) -> lane {
  momentum_buffer = lerp(momentum_buffer, g, h.one_minus_momentum);
  if (!NESTEROV) {
    return momentum_buffer;
  }
  if (BIAS_CORRECTION) {
    return h.momentum * momentum_buffer / next_correction + h.one_minus_momentum * g / h.bias_correction;
  }
  return lerp(g, momentum_buffer, h.momentum);
}

fn update(w: lane, g: lane) -> lane {
  if (DIRECTING) {
    return direction(g);
  }
  return w - h.lr * g;
}
