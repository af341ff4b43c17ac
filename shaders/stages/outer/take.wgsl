// How far the weights have come from the anchor: what a peer gives to others (Δ = anchor − weights, Douillard et al. 2023). Not a rule of
// the registry, but of the same form, as accumulate.wgsl.
//
//   p ← (a − w) + e      e what p was, if HAS_FEEDBACK: what was left over by rounding; else 0
//   b ← w
//
// a → anchor, b → base, p → pending

override HAS_FEEDBACK: bool = false;

fn update(w: lane, g: lane) -> lane {
  var taken = anchor - w;
  if (HAS_FEEDBACK) {
    taken = taken + pending;
  }
  pending = taken;
  base = w;
  return w;
}
