// Composed with generated declarations (src/stages/control/compose-reduce.ts), lanes.wgsl, squares.wgsl and tree.wgsl.
//
// First level of the gradient norm: one partial per workgroup of a dispatch, which looks at one long part of a gradient or
// at several short ones in turn. Short ones may be gathered: copied behind one another for the kernels that follow.
//
// The tree is fixed by the plan (src/plan/reduction.ts): equal input in equal places gives equal bits.
//
//   add_parts(…) -> Squares             all parts, for ordinary magnitudes; copies them if they are to be gathered
//   add_parts_carefully(…) -> Squares   the same for all magnitudes, if that is needed; without copying

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  header = uniform_portion.header;
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  var sums: Squares;
  // What takes no part in this step leaves partials of nothing.
  if (page[header.row].is_active != 0u) {
    sums = add_parts(workgroup, local_index);
    // Gradients hardly ever span eighty powers of two, so most invocations end here; the others begin again. A second
    // loop, not a branch in the first: CPU adapters run both sides of a branch.
    let is_extreme = sums.flags != 0u;
    if (is_extreme) {
      sums = Squares();
    }
    sums = add_parts_carefully(sums, workgroup, local_index, is_extreme);
  }
  sum_workgroup(local_index, partial_of(sums));
  if (local_index == 0u && workgroup < header.workgroup_count) {
    workspace[header.first_partial + workgroup] = shared_partials[0];
  }
}
