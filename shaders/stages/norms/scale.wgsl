// Composed with generated declarations (src/stages/norms/compose-norms.ts) and lanes.wgsl.
//
// Multiplies the copies of gradients by what stages/norms/factors.wgsl found for their tensors.

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
  let factor = bitcast<f32>(tables[header.first_item + portion.item].w);
  let lanes = own_lanes(0u, local_index, (portion.element_count + 3u) / 4u);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    let lane = portion.lane + i;
    workspace[lane] = bitcast<vec4<u32>>(bitcast<vec4<f32>>(workspace[lane]) * factor);
  }
}
