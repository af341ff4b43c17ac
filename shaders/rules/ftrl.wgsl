// FTRL-Proximal (McMahan et al. 2013, Algorithm 1), with the options of TensorFlow and Keras.
//
//   n′ ← n + g²                               g without shrinkage
//   z ← z + g + 2λₛw − (n′ᵖ − nᵖ)/η · w
//   w ← −sign(z)·max(0, |z| − λ₁) / ((β + n′ᵖ)/η + 2λ₂)
//
// n → accumulator, z → linear, p → h.exponent, 2λₛ → h.l2_shrinkage_twice, λ₁ → h.l1, 2λ₂ → h.l2_twice, β → h.beta,
// η → h.lr; p is ½ unless POWER.

override POWER: bool = false;

/// xᵖ for 0 ≤ p ≤ 1, for `pow` would be loose: y ← √y, times √x where p has a one, from p's last binary digit to its
/// first. Each root halves the error so far, so that what remains is that of the last few operations.
fn power(x: lane) -> lane {
  let root = sqrt(x);
  if (!POWER) {
    return root;
  }
  if (h.exponent == 1.0) {
    return x;
  }
  let digits = u32(h.exponent * 0x1p32);
  var y = lane(1.0);
  for (var k = firstTrailingBit(digits); k < 32u; k++) {
    y = sqrt(y);
    if (((digits >> k) & 1u) == 1u) {
      y = y * root;
    }
  }
  return y;
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
