// What was given to others and not taken by them is the peer's again: of what is pending, what was left over before it was given. Not a
// rule of the registry, but of the same form, as accumulate.wgsl.
//
//   w ← w − (a − b)      w what is pending, and what was given added to it again
//
// a → anchor, b → base

fn update(w: lane, g: lane) -> lane {
  return w - (anchor - base);
}
