// Composed with generated declarations (src/stages/norms/compose-norms.ts), lanes.wgsl and squares.wgsl.
//
// Multiplies the copies of gradients so that the norm of each, unscaled, is max_norm at most.
//
//   factor = max_norm / max(‖m·g‖₂, max_norm)      tf.clip_by_norm, Keras' clipnorm

@compute @workgroup_size(WORKGROUP_SIZE)
fn scale_portions(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= header.portion_count || page[header.row].is_active == 0u) {
    return;
  }
  let portion = portion_at(header.first_portion + workgroup);
  let factor = factor_of(tables[header.first_total + portion.item], page[header.row].grad_multiplier);
  if (bitcast<u32>(factor) == ONE) {
    return;
  }
  let lanes = own_lanes(0u, local_index, (portion.element_count + 3u) / 4u);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    let lane = portion.lane + i;
    workspace[lane] = bitcast<vec4<u32>>(bitcast<vec4<f32>>(workspace[lane]) * factor);
  }
}

/// Bits of 1.
const ONE: u32 = 0x3f800000u;

/// What is not finite must not meet arithmetic that may assume it is.
fn factor_of(total: vec4<u32>, multiplier: f32) -> f32 {
  if ((total.w & (INFINITE | NOT_A_NUMBER)) != 0u) {
    return bitcast<f32>(select(0u, 0x7fc00000u, (total.w & NOT_A_NUMBER) != 0u));
  }
  let norm = norm_of(bitcast<vec3<f32>>(total.xyz), multiplier);
  if (bitcast<u32>(norm) >= 0x7f800000u) {
    return 0.0;
  }
  if (norm - header.max_norm > 0.0) {
    return header.max_norm / norm;
  }
  return 1.0;
}
