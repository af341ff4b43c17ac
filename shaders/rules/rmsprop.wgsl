// RMSprop (Tieleman & Hinton 2012, lecture 6.5, slide 29); centered as Graves 2013, equations 38 to 41.
//
//   s ← αs + (1−α)g²
//   m ← αm + (1−α)g   σ² = s − m²             (CENTERED; otherwise σ² = s)
//   d = √(σ²+ε)                               (EPS_INSIDE; otherwise d = √σ²+ε; EPS_SUBTRACTED: √(σ²−ε))
//   w ← w − ηg/d
//   v ← λv − ηg/d     w ← w + v               (MOMENTUM and LR_IN_VELOCITY)
//   v ← λv + g/d      w ← w − ηv              (MOMENTUM otherwise)
//
// s → square_avg, m → grad_avg, v → momentum_buffer, 1−α → h.one_minus_alpha, ε → h.eps, η → h.lr, λ → h.momentum

override CENTERED: bool = false;
override MOMENTUM: bool = false;
override LR_IN_VELOCITY: bool = true;
override EPS_INSIDE: bool = true;
override EPS_SUBTRACTED: bool = false;

fn update(w: lane, g: lane) -> lane {
  square_avg = lerp(square_avg, g * g, h.one_minus_alpha);
  var variance = square_avg;
  if (CENTERED) {
    grad_avg = lerp(grad_avg, g, h.one_minus_alpha);
    // Rounding can take s − m² below zero where the gradient hardly varies.
    variance = larger(lane(0.0), square_avg - grad_avg * grad_avg);
  }
  var denominator = sqrt(variance) + h.eps;
  if (EPS_INSIDE) {
    denominator = sqrt(variance + h.eps);
  }
  if (EPS_SUBTRACTED) {
    denominator = sqrt(variance - h.eps);
  }
  let direction = g / denominator;
  if (!MOMENTUM) {
    return w - h.lr * direction;
  }
  if (LR_IN_VELOCITY) {
    momentum_buffer = h.momentum * momentum_buffer - h.lr * direction;
    return w + momentum_buffer;
  }
  momentum_buffer = h.momentum * momentum_buffer + direction;
  return w - h.lr * momentum_buffer;
}
