// Composed with generated declarations (src/stages/norms/compose-norms.ts), lanes.wgsl, squares.wgsl and tree.wgsl.
//
// Second level: one workgroup per tensor adds its partials in a fixed order, and says by what its gradient is multiplied to
// have a norm of `max` at most.
//
//   factor = max / max(‖g‖₂, max)      tf.clip_by_norm, Keras' clipnorm

@compute @workgroup_size(WORKGROUP_SIZE)
fn find_factors(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= header.portion_count) {
    return;
  }
  let place = header.first_portion + workgroup;
  // First partial, how many there are, bits of the limit, and of the factor.
  let item = tables[place];
  var partial = vec4<u32>(0u);
  for (var i = local_index; i < item.y; i += WORKGROUP_SIZE) {
    partial = add_partials(partial, tables[header.first_partial + item.x + i]);
  }
  sum_workgroup(local_index, partial);
  if (local_index == 0u) {
    tables[place].w = factor_of(shared_partials[0], bitcast<f32>(item.z));
  }
}

/// Bits of the factor; what is not finite must not meet arithmetic that may assume it is.
fn factor_of(partial: vec4<u32>, most: f32) -> u32 {
  if ((partial.w & (INFINITE | NOT_A_NUMBER)) != 0u) {
    return select(0u, 0x7fc00000u, (partial.w & NOT_A_NUMBER) != 0u);
  }
  let norm = norm_of(bitcast<vec3<f32>>(partial.xyz), 1.0);
  if (bitcast<u32>(norm) >= 0x7f800000u) {
    return 0u;
  }
  if (norm - most > 0.0) {
    return bitcast<u32>(most / norm);
  }
  return 0x3f800000u;
}
