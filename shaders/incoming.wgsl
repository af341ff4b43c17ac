// What becomes of weight and gradient before the rule sees them, and the operations that rules share; for step.wgsl and
// tensor/measure.wgsl.

override CLAMP_GRADIENT: bool = false;
override MAXIMIZE: bool = false;
override DECAY_GRADIENT: bool = false;
override DECAY_WEIGHT: bool = false;

/// a + t(b − a): two roundings, exact when b = a; `mix` leaves the form to the implementation.
fn lerp(a: lane, b: lane, t: f32) -> lane {
  return a + t * (b - a);
}

/// The larger of two; keeps a NaN in b, which `max` may drop.
fn larger(a: lane, b: lane) -> lane {
  return select(b, a, b <= a);
}

/// The gradient as the rule sees it: scaled, clamped, negated to ascend, with L2 decay.
fn incoming_gradient(w: lane, gradient: lane) -> lane {
  var g = gradient * h.grad_multiplier;
  if (CLAMP_GRADIENT) {
    // Not `clamp`, which may turn a NaN into a number.
    g = select(g, lane(-h.max_grad_value), g < lane(-h.max_grad_value));
    g = select(g, lane(h.max_grad_value), g > lane(h.max_grad_value));
  }
  if (MAXIMIZE) {
    g = -g;
  }
  if (DECAY_GRADIENT) {
    g = g + h.decay * w;
  }
  return g;
}

/// The weight as the rule sees it: decoupled decay is done.
fn decayed_weight(before: lane) -> lane {
  var w = before;
  if (DECAY_WEIGHT) {
    w = w - h.decay * w;
  }
  return w;
}
