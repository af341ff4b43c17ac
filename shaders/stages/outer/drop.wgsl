// The anchor in place of the weights; what these have come is forgotten. Not a rule of the registry, but of the same form, as
// accumulate.wgsl. land.wgsl follows.
//
//   b ← 0;  w ← a
//
// a → anchor, b → base

fn update(w: lane, g: lane) -> lane {
  base = lane(0.0);
  return anchor;
}
