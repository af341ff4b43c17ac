// A velocity and the step along it; composed behind the rule that uses it.
//
//   v ← λv − ηf      w ← w + v                (LR_IN_VELOCITY; NESTEROV: w ← w + λv − ηd)
//   v ← λv + f       w ← w − ηv               (otherwise;      NESTEROV: w ← w − η(d + λv))
//
// d: the direction, f: what of it enters the velocity, v → momentum_buffer, λ → h.momentum, η → h.lr

override NESTEROV: bool = false;
override LR_IN_VELOCITY: bool = true;

fn advance(w: lane, d: lane, f: lane) -> lane {
  if (LR_IN_VELOCITY) {
    momentum_buffer = h.momentum * momentum_buffer - h.lr * f;
    if (NESTEROV) {
      return w + (h.momentum * momentum_buffer - h.lr * d);
    }
    return w + momentum_buffer;
  }
  momentum_buffer = h.momentum * momentum_buffer + f;
  if (NESTEROV) {
    return w - h.lr * (d + h.momentum * momentum_buffer);
  }
  return w - h.lr * momentum_buffer;
}
