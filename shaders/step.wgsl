// The one elementwise entry point: which lanes an invocation owns, and load → decay → update → store.
//
// Composed with generated declarations (src/kernel/compose.ts), lanes.wgsl and one rule (shaders/rules/*.wgsl):
//   alias lane                  vec4<f32> for the aligned body of a tensor, f32 for its edges
//   h                           the rule's per-step scalars, and the standard ones: decay, t, grad_multiplier, …
//   segment                     what this dispatch covers
//   begin() -> bool             fetches both; false if this step is to be skipped
//   load_*/store_*              access to weight, gradient and state at a lane index
//   prepare()                   the rule: what is the same for all its elements, once per invocation
//   average(before, w) -> lane  averages of the weights, which may move them; prepare_averages() as above
//   update(w, g) -> lane        the rule: the new weight; state is in private variables named as the slots

override CLAMP_GRADIENT: bool = false;
override MAXIMIZE: bool = false;
override DECAY_GRADIENT: bool = false;
override DECAY_WEIGHT: bool = false;

/// a + t(b − a): two roundings, exact when b = a; `mix` leaves the form to the implementation.
fn lerp(a: lane, b: lane, t: f32) -> lane {
  return a + t * (b - a);
}

/// The larger of two; keeps a NaN in b, which `max` may drop.
fn larger(a: lane, b: lane) -> lane {
  return select(b, a, b <= a);
}

/// x, no larger in magnitude than `limit`; keeps a NaN, which `clamp` may drop.
fn within(x: lane, limit: f32) -> lane {
  let raised = select(x, lane(-limit), x < lane(-limit));
  return select(raised, lane(limit), raised > lane(limit));
}

/// −1, 0 or 1 by the sign of x; keeps a NaN, which `sign` may drop.
fn sign_of(x: lane) -> lane {
  return select(select(x, lane(-1.0), x < lane(0.0)), lane(1.0), x > lane(0.0));
}

fn step_lane(i: u32) {
  let before = load_data(i);
  var w = before;
  var g = load_grad(i);
  load_state(i);
  g = g * h.grad_multiplier;
  if (CLAMP_GRADIENT) {
    g = within(g, h.max_grad_value);
  }
  if (MAXIMIZE) {
    g = -g;
  }
  if (DECAY_GRADIENT) {
    g = g + h.decay * w;
  }
  if (DECAY_WEIGHT) {
    w = w - h.decay * w;
  }
  store_data(i, average(before, update(w, g)));
  store_state(i);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  if (!begin()) {
    return;
  }
  prepare();
  prepare_averages();
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, segment.lane_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    step_lane(i);
  }
}
