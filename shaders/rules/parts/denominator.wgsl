// The denominator of Adam and its kin, with ε in each of its three places; composed behind the rule that uses it.
//
//   √v̂+ε      v̂ = v/(1−β₂ᵗ)
//   √(v̂+ε)                                    (EPS_INSIDE)
//   √v+ε       the step times √(1−β₂ᵗ)        (EPS_HAT: Kingma & Ba 2015, end of section 2)
//
// 1−β₂ᵗ → h.bias_correction2, ε → h.eps

override EPS_INSIDE: bool = false;
override EPS_HAT: bool = false;

/// What √v (or v, inside the root) is multiplied by.
var<private> v_scale: f32;

fn prepare_denominator() {
  if (EPS_INSIDE) {
    v_scale = 1.0 / h.bias_correction2;
  } else {
    v_scale = 1.0 / sqrt(h.bias_correction2);
  }
}

/// A step size, as it stands before the quotient.
fn scale_step(size: f32) -> f32 {
  if (EPS_HAT) {
    return size * sqrt(h.bias_correction2);
  }
  return size;
}

fn denominator(v: lane) -> lane {
  if (EPS_INSIDE) {
    return sqrt(v * v_scale + h.eps);
  }
  if (EPS_HAT) {
    return sqrt(v) + h.eps;
  }
  return sqrt(v) * v_scale + h.eps;
}
