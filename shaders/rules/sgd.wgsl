// Stochastic gradient descent (Robbins & Monro 1951).
//
//   w ← w − ηg
//
// η → h.lr

fn update(w: lane, g: lane) -> lane {
  return w - h.lr * g;
}
