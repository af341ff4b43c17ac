// Adagrad (Duchi, Hazan & Singer 2011, section 1, diagonal form).
//
//   s ← s + g²       w ← w − ηg/√(s+ε)        (EPS_INSIDE)
//                    w ← w − ηg/(√s+ε)        (otherwise)
//
// s → sum, ε → h.eps, η → rate: h.lr with its decay, η/(1 + (t−1)·lrDecay)

override EPS_INSIDE: bool = true;

var<private> rate: f32;

fn prepare() {
  rate = h.lr / (1.0 + (h.t - 1.0) * h.lr_decay);
}

fn update(w: lane, g: lane) -> lane {
  sum = sum + g * g;
  if (EPS_INSIDE) {
    return w - rate * (g / sqrt(sum + h.eps));
  }
  return w - rate * (g / (sqrt(sum) + h.eps));
}
