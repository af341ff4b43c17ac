// The way back of pack.wgsl: numbers that are kept in some other form, as float32. Nothing is computed with them.
//
//   w ← k       k the numbers that are kept
//
// k → kept

fn update(w: lane, g: lane) -> lane {
  return kept;
}
