// Between the weights that train and those to evaluate with, for rules that have both. Not a rule of the registry, but of
// the same form, so that it shares the template's lanes and bindings.
//
//   w ← w + fk       k a state of the rule, which stays
//
// k → kept, f → h.factor

fn update(w: lane, g: lane) -> lane {
  return w + h.factor * kept;
}
