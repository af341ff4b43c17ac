// The one elementwise entry point: which lanes an invocation owns, and load → decay → update → store.
//
// Composed with generated declarations (src/kernel/compose.ts), lanes.wgsl, incoming.wgsl and one rule
// (shaders/rules/*.wgsl):
//   alias lane                  vec4<f32> for the aligned body of a tensor, f32 for its edges
//   h                           the rule's per-step scalars, and the standard ones: decay, t, grad_multiplier, …
//   segment                     what this dispatch covers
//   begin() -> bool             fetches both; false if this step is to be skipped
//   load_*/store_*              access to weight, gradient and state at a lane index
//   tensor                      what the rule has found out of the whole tensor (tensor/*.wgsl), if it does
//   prepare()                   the rule: what is the same for all its elements, once per invocation
//   average(before, w) -> lane  averages of the weights, which may move them; prepare_averages() as above
//   update(w, g) -> lane        the rule: the new weight; state is in private variables named as the slots

fn step_lane(i: u32) {
  let before = load_data(i);
  load_state(i);
  let g = incoming_gradient(before, load_grad(i));
  store_data(i, average(before, update(decayed_weight(before), g)));
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
