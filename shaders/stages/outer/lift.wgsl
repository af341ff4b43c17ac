// The anchor in place of the weights, and what these have come beyond what was given to others, kept. Not a rule of the registry, but of
// the same form, as accumulate.wgsl. land.wgsl follows.
//
//   b ← w − b      0 where they are the same bits, NaN and infinities too
//   w ← a
//
// a → anchor, b → base

fn update(w: lane, g: lane) -> lane {
  base = select(w - base, lane(0.0), bitcast<vec4<u32>>(w) == bitcast<vec4<u32>>(base));
  return anchor;
}
