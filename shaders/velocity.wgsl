// The velocity of rules/momentum.wgsl, whose equations it has; for rules that move weights with one.

override NESTEROV: bool = false;
override LR_IN_VELOCITY: bool = true;

var<private> undamped: f32;

fn prepare() {
  undamped = select(h.one_minus_dampening, 1.0, h.t == 1.0);
}

/// The weight moved with the velocity, after a gradient or what takes its place.
fn move_with_velocity(w: lane, g: lane) -> lane {
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
