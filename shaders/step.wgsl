// The one elementwise entry point; what becomes of a lane between load and store: decay → update → average → limits.
//
// Composed with generated declarations (src/kernel/step-kernel.ts, compose-rule.ts), lanes.wgsl, incoming.wgsl and one
// rule (shaders/rules/*.wgsl):
//   alias lane                  vec4<f32>, the four elements that are stepped at a time
//   h                           one row of scalars: the rule's, and the standard ones: decay, t, grad_multiplier, …
//   begin(row) -> bool          fetches it; false if its step is not to be made
//   step_tensors(workgroup, k)  load → stepped() → store, over an invocation's share of each tensor of the dispatch
//   tensor                      what the rule has found out of the whole tensor (stages/measure), if it does
//   prepare()                   the rule: what is the same for all its elements, once per invocation
//   average(before, w) -> lane  averages of the weights, which may move them; prepare_averages() as above
//   constrained(w) -> lane      limits of the weights
//   update(w, g) -> lane        the rule: the new weight; state is in private variables named as the slots

/// The new weight; the state is in the rule's private variables, before and after.
fn stepped(before: lane, gradient: lane) -> lane {
  let g = incoming_gradient(before, gradient);
  return constrained(average(before, update(decayed_weight(before), g)));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  // All tensors of a dispatch share a row.
  if (!begin(segments.tensor_0.row)) {
    return;
  }
  fetch_tensor();
  prepare();
  prepare_averages();
  step_tensors(linear_workgroup(workgroup_id, workgroup_count), local_index);
}
