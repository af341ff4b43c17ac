// Momentum (Polyak 1964), Nesterov's form as Sutskever et al. 2013, equations 3 and 4.
//
//   v ← λv − ηg      w ← w + v                (LR_IN_VELOCITY; NESTEROV: w ← w + λv − ηg)
//   v ← λv + (1−τ)g  w ← w − ηv               (otherwise;      NESTEROV: w ← w − η(g + λv))
//
// The two steps are those of parts/velocity.wgsl; 1−τ is `undamped` of parts/dampening.wgsl

fn update(w: lane, g: lane) -> lane {
  return advance(w, g, undamped * g);
}
