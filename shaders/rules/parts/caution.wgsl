// The mask of cautious optimizers (Liang et al. 2024, Algorithm 1), without the rescaling by its mean, which is a sum
// over the tensor; composed behind the rule that uses it.

/// m where it has the sign of g, 0 elsewhere. By signs: the product of two small numbers would underflow. A NaN
/// disagrees with nothing and so stays.
fn agreeing(m: lane, g: lane) -> lane {
  let zero = lane(0.0);
  return select(m, zero, ((m <= zero) & (g >= zero)) | ((m >= zero) & (g <= zero)));
}
