// What the weights had come is added to them again. They are read as they were stored: numbers of 2 bytes are rounded by then, and what
// that takes off is no progress. Not a rule of the registry, but of the same form, as accumulate.wgsl.
//
//   b, w ← w, w + b      w stays as it is, −0 too, where b is 0
//
// b → base

fn update(w: lane, g: lane) -> lane {
  let progress = base;
  base = w;
  return select(w + progress, w, progress == lane(0.0));
}
