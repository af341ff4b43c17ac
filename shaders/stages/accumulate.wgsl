// Gradient accumulation: the gradients of a micro-batch, added to those gathered so far. Not a rule of the registry,
// but of the same form, so that it shares the template's lanes and bindings.
//
//   w ← w + g       w the gathered gradient, g the micro-batch's

fn update(w: lane, g: lane) -> lane {
  return w + g;
}
