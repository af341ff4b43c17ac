// The mask of cautious optimizers (Liang et al. 2024, Algorithm 1), and its rescaling by 1/max(mean, 0.001), the mean being
// over the tensor; composed behind the rule that uses it.
//
// m → exp_avg, 1−β₁ → h.one_minus_beta1, the rescaling → tensor.caution_scale

/// Whether there is a mask, and whether what it leaves is stretched.
override CAUTIOUS: bool = false;
override CAUTION_RESCALED: bool = false;

/// m where it has the sign of g, 0 elsewhere. By signs: the product of two small numbers would underflow. A NaN
/// disagrees with nothing and so stays.
fn agreeing(m: lane, g: lane) -> lane {
  let zero = lane(0.0);
  return select(m, zero, ((m <= zero) & (g >= zero)) | ((m >= zero) & (g <= zero)));
}

/// What the mask leaves of a step, stretched if asked for; all of it without a mask.
fn cautious(m: lane, g: lane) -> lane {
  if (!CAUTIOUS) {
    return m;
  }
  let left = agreeing(m, g);
  if (CAUTION_RESCALED) {
    return tensor.caution_scale * left;
  }
  return left;
}

/// What is measured of an element for the mask's mean: 1 or −1 if it is left, 0 if not; and 1.
fn measure(w: lane, g: lane) -> Measured {
  let m = lerp(exp_avg, g, h.one_minus_beta1);
  return Measured(sign_of(agreeing(m, g)), lane(1.0));
}

/// The norms are √(elements left) and √(elements).
fn summarize(norms: Norms) {
  let root = norms[0] / norms[1];
  let mean = root * root;
  tensor.caution_scale = 1.0 / select(mean, 0.001, mean <= 0.001);
}
