// Composed with generated declarations (src/stages/norms/compose-norms.ts), lanes.wgsl, squares.wgsl and tree.wgsl.
//
// Second level: one workgroup per tensor adds its partials in a fixed order.

@compute @workgroup_size(WORKGROUP_SIZE)
fn total_items(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= header.portion_count) {
    return;
  }
  // First partial, and how many there are.
  let item = tables[header.first_item + workgroup];
  var partial = vec4<u32>(0u);
  for (var i = local_index; i < item.y; i += WORKGROUP_SIZE) {
    partial = add_partials(partial, tables[header.first_partial + item.x + i]);
  }
  sum_workgroup(local_index, partial);
  if (local_index == 0u) {
    tables[header.first_total + workgroup] = shared_partials[0];
  }
}
