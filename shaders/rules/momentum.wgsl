// Momentum (Polyak 1964), Nesterov's form as Sutskever et al. 2013, equations 3 and 4.
//
//   v ← λv − ηg      w ← w + v                (LR_IN_VELOCITY; NESTEROV: w ← w + λv − ηg)
//   v ← λv + (1−τ)g  w ← w − ηv               (otherwise;      NESTEROV: w ← w − η(g + λv))
//
// The two steps are those of parts/velocity.wgsl; 1−τ → h.one_minus_dampening, but 1 at the first step unless
// DAMPEN_FIRST_STEP

override DAMPEN_FIRST_STEP: bool = false;

var<private> undamped: f32;

fn prepare() {
  undamped = select(h.one_minus_dampening, 1.0, h.t == 1.0 && !DAMPEN_FIRST_STEP);
}

fn update(w: lane, g: lane) -> lane {
  return advance(w, g, undamped * g);
}
