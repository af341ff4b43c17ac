// FTRL-Proximal (McMahan et al. 2013, Algorithm 1), with the options of TensorFlow and Keras.
//
//   n′ ← n + g²                               g without shrinkage
//   z ← z + g + 2λₛw − (n′ᵖ − nᵖ)/η · w
//   w ← −sign(z)·max(0, |z| − λ₁) / ((β + n′ᵖ)/η + 2λ₂)
//
// n → accumulator, z → linear, p → h.exponent, 2λₛ → h.l2_shrinkage_twice, λ₁ → h.l1, 2λ₂ → h.l2_twice, β → h.beta,
// η → h.lr; p is ½ unless POWER.

override POWER: bool = false;

/// Binary digits of p that are looked at: all 24 that a float32 has, for p ≥ 2⁻⁴⁰.
const EXPONENT_DIGITS: u32 = 64u;

/// xᵖ for 0 ≤ p ≤ 1: the product of those of x, √x, ⁴√x, … that p has a binary digit for. `pow` would be loose.
fn power(x: lane) -> lane {
  if (!POWER) {
    return sqrt(x);
  }
  var result = lane(1.0);
  var root = x;
  var rest = h.exponent;
  for (var digit = 0u; digit < EXPONENT_DIGITS; digit++) {
    if (rest >= 1.0) {
      result = result * root;
      rest = rest - 1.0;
    }
    if (rest == 0.0) {
      break;
    }
    rest = rest + rest;
    root = sqrt(root);
  }
  return result;
}

fn update(w: lane, g: lane) -> lane {
  let before = power(accumulator);
  accumulator = accumulator + g * g;
  let after = power(accumulator);
  linear = linear + (g + h.l2_shrinkage_twice * w) - (after - before) / h.lr * w;
  let excess = within(linear, h.l1) - linear;
  let solution = excess / ((h.beta + after) / h.lr + h.l2_twice);
  // An accumulator of 0 that never saw a gradient would divide 0 by 0.
  return select(solution, excess, excess == lane(0.0));
}
