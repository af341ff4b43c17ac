// Adadelta (Zeiler 2012, Algorithm 1).
//
//   s ← ρs + (1−ρ)g²
//   Δ = √(a+ε)/√(s+ε) · g                     (PREVIOUS_ACCUMULATOR: s as it was before this step)
//   a ← ρa + (1−ρ)Δ²
//   w ← w − ηΔ
//
// s → square_avg, a → acc_delta, 1−ρ → h.one_minus_rho, ε → h.eps, η → h.lr

override PREVIOUS_ACCUMULATOR: bool = false;

fn update(w: lane, g: lane) -> lane {
  var s = square_avg;
  square_avg = lerp(square_avg, g * g, h.one_minus_rho);
  if (!PREVIOUS_ACCUMULATOR) {
    s = square_avg;
  }
  let delta = sqrt(acc_delta + h.eps) / sqrt(s + h.eps) * g;
  acc_delta = lerp(acc_delta, delta * delta, h.one_minus_rho);
  return w - h.lr * delta;
}
