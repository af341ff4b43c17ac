// The weights that train and an average of them change places. Not a rule of the registry, but of the same form, as
// interpolate.wgsl.
//
//   w, k ← k, w      k the average
//
// k → kept

fn update(w: lane, g: lane) -> lane {
  let evaluated = kept;
  kept = w;
  return evaluated;
}
