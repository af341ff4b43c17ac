// Adagrad (Duchi, Hazan & Singer 2011, section 1, diagonal form).
//
//   s ← s + g²       w ← w − ηg/√(s+ε)        (EPS_INSIDE)
//                    w ← w − ηg/(√s+ε)        (otherwise)
//
// s → sum, ε → h.eps, η → h.lr with its decay η/(1 + (t−1)·lrDecay)

override EPS_INSIDE: bool = true;

fn update(w: lane, g: lane) -> lane {
  sum = sum + g * g;
  if (EPS_INSIDE) {
    return w - h.lr * (g / sqrt(sum + h.eps));
  }
  return w - h.lr * (g / (sqrt(sum) + h.eps));
}
