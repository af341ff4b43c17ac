// Signum, and signSGD without momentum (Bernstein et al. 2018, Algorithms 2 and 1).
//
//   m ← λm + (1−λ)g                           (MOMENTUM; otherwise m = g)
//   w ← w − η·sign(m)
//
// m → momentum_buffer, 1−λ → h.one_minus_momentum, η → h.lr

override MOMENTUM: bool = true;

fn update(w: lane, g: lane) -> lane {
  var m = g;
  if (MOMENTUM) {
    momentum_buffer = lerp(momentum_buffer, g, h.one_minus_momentum);
    m = momentum_buffer;
  }
  return w - sign_of(m) * h.lr;
}
