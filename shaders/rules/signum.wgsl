// Signum, and signSGD without momentum (Bernstein et al. 2018, Algorithms 2 and 1).
//
//   m ← λm + (1−λ)g                           (MOMENTUM; otherwise m = g)
//   w ← w − η·sign(m)
//
// m → momentum_buffer, λ → h.momentum, 1−λ → h.one_minus_momentum, η → h.lr

override MOMENTUM: bool = true;

fn update(w: lane, g: lane) -> lane {
  var m = g;
  if (MOMENTUM) {
    // Not lerp: g − m is where a compiler that reassociates g + dw (L2 decay) makes an overflow of large numbers.
    momentum_buffer = h.momentum * momentum_buffer + h.one_minus_momentum * g;
    m = momentum_buffer;
  }
  return w - sign_of(m) * h.lr;
}
