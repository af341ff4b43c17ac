// The anchor of an outer optimizer is the weights as they are. Not a rule of the registry, but of the same form, as accumulate.wgsl.
//
//   a, b ← w       a the anchor, b what the weights were when they were last given to others
//
// a → anchor, b → base

fn update(w: lane, g: lane) -> lane {
  anchor = w;
  base = w;
  return w;
}
