// Weights whose rows lie apart, copied behind one another. Not a rule of the registry, but of the same form, as
// accumulate.wgsl. Nothing is computed: NaN and subnormals keep their bits.
//
//   k ← w       k the copy
//
// k → kept

fn update(w: lane, g: lane) -> lane {
  kept = w;
  return w;
}
