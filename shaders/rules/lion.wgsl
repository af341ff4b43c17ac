// Lion (Chen et al. 2023, Algorithm 2).
//
//   u ← sign(β₁m + (1−β₁)g)
//   u ← u where it has the sign of g, 0 elsewhere       (CAUTIOUS: parts/caution.wgsl)
//   m ← β₂m + (1−β₂)g
//   w ← w − ηu
//
// m → exp_avg, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2, η → h.lr

fn update(w: lane, g: lane) -> lane {
  let u = cautious(sign_of(lerp(exp_avg, g, h.one_minus_beta1)), g);
  exp_avg = lerp(exp_avg, g, h.one_minus_beta2);
  return w - h.lr * u;
}
