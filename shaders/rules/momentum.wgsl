// Momentum (Polyak 1964), Nesterov's form as Sutskever et al. 2013, equations 3 and 4.
//
//   v ← λv − ηg      w ← w + v                (LR_IN_VELOCITY; Nesterov: w ← w + λv − ηg)
//   v ← λv + (1−τ)g  w ← w − ηv               (otherwise;      Nesterov: w ← w − η(g + λv))
//
// v → momentum_buffer, λ → h.momentum, η → h.lr, 1−τ → h.one_minus_dampening, but 1 at the first step unless
// DAMPEN_FIRST_STEP

override NESTEROV: bool = false;
override DAMPEN_FIRST_STEP: bool = false;
override LR_IN_VELOCITY: bool = true;

var<private> undamped: f32;

fn prepare() {
  undamped = select(h.one_minus_dampening, 1.0, h.t == 1.0 && !DAMPEN_FIRST_STEP);
}

fn update(w: lane, g: lane) -> lane {
  if (LR_IN_VELOCITY) {
    momentum_buffer = h.momentum * momentum_buffer - h.lr * (undamped * g);
    if (NESTEROV) {
      return w + (h.momentum * momentum_buffer - h.lr * g);
    }
    return w + momentum_buffer;
  }
  momentum_buffer = h.momentum * momentum_buffer + undamped * g;
  if (NESTEROV) {
    return w - h.lr * (g + h.momentum * momentum_buffer);
  }
  return w - h.lr * momentum_buffer;
}
