// Exponential moving average of the weights (Polyak & Juditsky 1992; as tf.train.ExponentialMovingAverage).
//
//   a ← a + (1−d)(w − a)       from the step after `start` on; until then a = w
//   warm-up: d limited to (1+n)/(10+n), n the number of averages taken before
//
// a → ema, 1−d → h.ema_one_minus_decay, start → h.ema_start
//
// Steps are counted in u32: a float32 ends at 2²⁴.

override EMA_WARMUP: bool = false;
/// Whether the first average is taken with the weights before the first averaged step, or is those after it.
override EMA_FROM_PARAMS: bool = true;

var<private> ema_first: u32;
var<private> ema_weight: f32;

fn prepare_ema() {
  ema_first = u32(h.ema_start) + 1u;
  ema_weight = h.ema_one_minus_decay;
  if (EMA_WARMUP && h.t_count >= ema_first) {
    ema_weight = max(ema_weight, 9.0 / f32(10u + (h.t_count - ema_first)));
  }
}

fn average_ema(before: lane, after: lane) -> lane {
  if (h.t_count > ema_first) {
    ema = lerp(ema, after, ema_weight);
  } else if (EMA_FROM_PARAMS && h.t_count == ema_first) {
    ema = lerp(before, after, ema_weight);
  } else {
    ema = after;
  }
  return after;
}
