// Composed with generated declarations (src/stages/norms/compose-norms.ts), lanes.wgsl, squares.wgsl and tree.wgsl.
//
// First level of the norms of tensors, each by itself: one workgroup per portion of up to 8192 elements of one tensor, so that
// a dispatch covers any number of tensors in the buffers that it binds. On the way they may be copied.
//
// The tree is that of stages/measure: equal input gives equal bits.
//
//   add_portion(…) -> Squares   as numbers of a kind; copies it, if that is wanted

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_portions(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= header.portion_count || page[header.row].is_active == 0u) {
    return;
  }
  let portion = portion_at(header.first_portion + workgroup);
  first_element = portion.first;
  var sums: Squares;
  var kind = MEDIUM;
  // As in stages/control/reduce.wgsl.
  loop {
    sums = add_portion(portion, local_index, kind);
    if (kind != MEDIUM || kind_of(sums) == MEDIUM) {
      break;
    }
    kind = kind_of(sums);
  }
  sum_workgroup(local_index, partial_of(sums, kind));
  if (local_index == 0u) {
    tables[header.first_partial + portion.partial] = shared_partials[0];
  }
}
