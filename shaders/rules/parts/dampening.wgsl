// How much of a direction enters a velocity; composed behind the rule that uses it.
//
// 1−τ → h.one_minus_dampening, but 1 at the first step unless DAMPEN_FIRST_STEP

override DAMPEN_FIRST_STEP: bool = false;

var<private> undamped: f32;

fn prepare() {
  undamped = select(h.one_minus_dampening, 1.0, h.t == 1.0 && !DAMPEN_FIRST_STEP);
}
