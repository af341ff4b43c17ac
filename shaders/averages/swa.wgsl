// Stochastic weight averaging (Izmailov et al. 2018, Algorithm 1).
//
//   a ← a + (w − a)/(n+1)      every `period` steps from step `start` on, n the number of averages taken before;
//                              until then a = w
//
// a → swa, start → h.swa_start, period → h.swa_period
//
// Steps are counted in u32: a float32 ends at 2²⁴.

var<private> has_swa_begun: bool;
var<private> is_swa_step: bool;
var<private> swa_weight: f32;

fn prepare_swa() {
  let start = u32(h.swa_start);
  let period = u32(h.swa_period);
  has_swa_begun = h.t_count > start;
  let steps = h.t_count - start;
  is_swa_step = steps % period == 0u;
  swa_weight = 1.0 / f32(steps / period + 1u);
}

fn average_swa(before: lane, after: lane) -> lane {
  if (!has_swa_begun) {
    swa = after;
  } else if (is_swa_step) {
    swa = lerp(swa, after, swa_weight);
  }
  return after;
}
