// Momentum (Polyak 1964), Nesterov's form as Sutskever et al. 2013, equations 3 and 4.
//
//   v ← λv − ηg      w ← w + v                (LR_IN_VELOCITY; Nesterov: w ← w + λv − ηg)
//   v ← λv + (1−τ)g  w ← w − ηv               (otherwise;      Nesterov: w ← w − η(g + λv))
//
// in velocity.wgsl; v → momentum_buffer, λ → h.momentum, η → h.lr, 1−τ → h.one_minus_dampening, but 1 at the first step

fn update(w: lane, g: lane) -> lane {
  return move_with_velocity(w, g);
}
