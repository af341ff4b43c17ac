// Gradients whose rows lie apart become zeros; what lies between them stays. Not a rule of the registry, but of the same form,
// as accumulate.wgsl.
//
//   w ← 0       w the gradients

fn update(w: lane, g: lane) -> lane {
  return lane(0.0);
}
