// Composed with generated declarations (src/stages/control/compose-reduce.ts), lanes.wgsl, squares.wgsl and tree.wgsl.
//
// First level of the gradient norm: one partial per workgroup of a dispatch, which looks at one long part of a gradient or
// at several short ones in turn. Short ones may be gathered: copied behind one another for the kernels that follow.
//
// The tree is fixed by the plan (src/plan/reduction.ts): equal input in equal places gives equal bits.
//
//   add_parts(…) -> Squares   all parts, as numbers of a kind; copies them if they are to be gathered

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  header = uniform_portion.header;
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  var sums: Squares;
  var kind = MEDIUM;
  // What takes no part in this step leaves partials of nothing.
  if (page[header.row].is_active != 0u) {
    // Few gradients are so large or small that an invocation begins again.
    loop {
      sums = add_parts(workgroup, local_index, kind);
      if (kind != MEDIUM || kind_of(sums) == MEDIUM) {
        break;
      }
      kind = kind_of(sums);
    }
  }
  sum_workgroup(local_index, partial_of(sums, kind));
  if (local_index == 0u && workgroup < header.workgroup_count) {
    workspace[header.first_partial + workgroup] = shared_partials[0];
  }
}
