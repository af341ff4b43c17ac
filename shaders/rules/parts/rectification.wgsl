// The rectification of the variance of Adam's step (Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and
// Beyond", Algorithm 2); composed behind the rule that uses it.
//
//   ρ∞ = 2/(1−β₂) − 1        ρₜ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ)
//   r = √((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ))    where ρₜ > the threshold
//
// Up to y = t·ln(1/β₂) = 1, ρₜ is the small difference of two large numbers. There, with x = y/2,
//
//   ρₜ = t + k − tx/(3 + x²/(5 + x²/(7 + …)))    k = 2/(1−β₂) − 1 − 2/ln(1/β₂)
//
// which follows from 2/(eʸ−1) = coth x − 1 and Lambert's continued fraction of x·coth x.
//
// 1−β₂ᵗ → h.bias_correction2, 1−β₂ᵗᐟ² → h.root_correction (for the digits of β₂ᵗ, as in nadam.wgsl), ρ∞ → h.rho_inf,
// k → h.rho_offset, x/t → h.half_rate, the threshold → h.rho_threshold, ρ∞/((ρ∞−4)(ρ∞−2)) → h.rho_gain

override RECTIFY: bool = true;

/// Whether the step is Adam's; otherwise ρₜ is at or below the threshold, and it is momentum's.
var<private> is_adaptive: bool = true;
/// r.
var<private> rectification: f32 = 1.0;

fn prepare_rectification() {
  if (!RECTIFY) {
    return;
  }
  // ρₜ is near + rest; the two are kept apart, for near − 4 is exact where the rest is small.
  var near = h.rho_inf;
  let root = 1.0 - h.root_correction;
  var rest = -2.0 * h.t * (root * root) / h.bias_correction2;
  let x = h.t * h.half_rate;
  if (x < 0.5) {
    var fraction = 15.0;
    for (var odd = 13.0; odd > 2.0; odd -= 2.0) {
      fraction = odd + x * x / fraction;
    }
    near = h.t;
    rest = h.rho_offset - h.t * x / fraction;
  }
  is_adaptive = near - h.rho_threshold + rest > 0.0;
  if (is_adaptive) {
    rectification = sqrt((near - 4.0 + rest) * (near - 2.0 + rest) / (near + rest) * h.rho_gain);
  }
}
