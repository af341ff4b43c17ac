// What becomes of weight and gradient before the rule sees them, and the operations that rules share; for step.wgsl and
// stages/measure/measure.wgsl.

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

/// x, but not below `low` nor above `high`; keeps a NaN, which `clamp` may drop.
fn between(x: lane, low: f32, high: f32) -> lane {
  let raised = select(x, lane(low), x < lane(low));
  return select(raised, lane(high), raised > lane(high));
}

/// x, no larger in magnitude than `limit`; keeps a NaN.
fn within(x: lane, limit: f32) -> lane {
  return between(x, -limit, limit);
}

/// −1, 0 or 1 by the sign of x; keeps a NaN, which `sign` may drop.
fn sign_of(x: lane) -> lane {
  return select(select(x, lane(-1.0), x < lane(0.0)), lane(1.0), x > lane(0.0));
}

/// The gradient as the rule sees it: scaled, clamped, negated to ascend, with L2 decay.
fn incoming_gradient(w: lane, gradient: lane) -> lane {
  var g = gradient * h.grad_multiplier;
  if (CLAMP_GRADIENT) {
    g = between(g, h.min_grad_value, h.max_grad_value);
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
