// AdamW (Loshchilov & Hutter 2019, Algorithm 2): Adam; the template decays the weight before.
//
//   w ← w − ηm̂/(√v̂+ε)                         (parts/adam-moments.wgsl)
//   w unchanged where mg ≤ 0                   (CAUTIOUS: parts/caution.wgsl)

fn update(w: lane, g: lane) -> lane {
  take_moments(g);
  return w - adam_step(cautious(exp_avg, g));
}
