// An average begins from the weights as they are. Not a rule of the registry, but of the same form, as interpolate.wgsl.
//
//   k ← w      k the average
//
// k → kept

fn update(w: lane, g: lane) -> lane {
  kept = w;
  return w;
}
