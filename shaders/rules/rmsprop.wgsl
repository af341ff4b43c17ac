// RMSprop (Tieleman & Hinton 2012, lecture 6.5, slide 29); centered as Graves 2013, equations 38 to 41.
//
//   s ← αs + (1−α)g²  ŝ = s/(1−αᵗ)            (BIAS_CORRECTION; otherwise ŝ = s, m̂ = m)
//   m ← αm + (1−α)g   σ² = ŝ − m̂²             (CENTERED; otherwise σ² = ŝ)
//   d = √(σ²+ε)                               (EPS_INSIDE; otherwise d = √σ²+ε; EPS_SUBTRACTED: √(σ²−ε))
//   w ← w − ηg/d                              (MOMENTUM: the step of parts/velocity.wgsl along g/d)
//
// s → square_avg, m → grad_avg, 1−α → h.one_minus_alpha, 1−αᵗ → h.bias_correction, ε → h.eps, η → h.lr

override CENTERED: bool = false;
override MOMENTUM: bool = false;
override EPS_INSIDE: bool = true;
override EPS_SUBTRACTED: bool = false;
override BIAS_CORRECTION: bool = false;

/// What the averages are multiplied by.
var<private> correction: f32;

fn prepare() {
  correction = 1.0 / h.bias_correction;
}

fn corrected(average: lane) -> lane {
  if (BIAS_CORRECTION) {
    return average * correction;
  }
  return average;
}

fn update(w: lane, g: lane) -> lane {
  square_avg = lerp(square_avg, g * g, h.one_minus_alpha);
  var variance = corrected(square_avg);
  if (CENTERED) {
    grad_avg = lerp(grad_avg, g, h.one_minus_alpha);
    let mean = corrected(grad_avg);
    // Rounding can take s − m² below zero where the gradient hardly varies.
    variance = larger(lane(0.0), variance - mean * mean);
  }
  var denominator = sqrt(variance) + h.eps;
  if (EPS_INSIDE) {
    denominator = sqrt(variance + h.eps);
  }
  if (EPS_SUBTRACTED) {
    denominator = sqrt(variance - h.eps);
  }
  let direction = g / denominator;
  if (MOMENTUM) {
    return advance(w, direction, direction);
  }
  return w - h.lr * direction;
}
