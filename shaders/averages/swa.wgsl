// Stochastic weight averaging (Izmailov et al. 2018, Algorithm 1).
//
//   a ← a + (w − a)/(n+1)      every `period` steps from step `start` on, n the number of averages taken before;
//                              until then a = w
//
// a → swa, start → h.swa_start, period → h.swa_period

var<private> swa_weight: f32;

fn prepare_swa() {
  let steps = u32(max(h.t - h.swa_start, 0.0));
  let period = u32(h.swa_period);
  swa_weight = select(0.0, 1.0 / (f32(steps / period) + 1.0), steps % period == 0u);
}

fn average_swa(before: lane, after: lane) -> lane {
  if (h.t <= h.swa_start) {
    swa = after;
  } else if (swa_weight > 0.0) {
    swa = lerp(swa, after, swa_weight);
  }
  return after;
}
