// Lookahead (Zhang et al. 2019, Algorithm 1).
//
//   a ← a + α(w − a), w ← a    every k steps; a starts as the weights before the first step
//
// a → slow, k → h.lookahead_every, α → h.lookahead_alpha
//
// Steps are counted in u32: a float32 ends at 2²⁴.

var<private> is_lookahead_step: bool;

fn prepare_lookahead() {
  is_lookahead_step = h.t_count % u32(h.lookahead_every) == 0u;
}

fn average_lookahead(before: lane, after: lane) -> lane {
  if (h.t_count == 1u) {
    slow = before;
  }
  if (!is_lookahead_step) {
    return after;
  }
  slow = lerp(slow, after, h.lookahead_alpha);
  return slow;
}
