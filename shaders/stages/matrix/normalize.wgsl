// Composed with generated declarations (src/stages/matrix/compose-product.ts), lanes.wgsl, squares.wgsl and
// norm-of-partial.wgsl.
//
// Matrices divided by their Frobenius norms, in place: by the larger of norm and ε, or with SUM by their sum. A workgroup divides
// one portion of one matrix; padding behind a matrix is nobody's.

override SUM: bool = false;

fn divisor_of(total: vec4<u32>) -> f32 {
  let norm = norm_of_partial(total);
  if (SUM) {
    return norm + division.eps;
  }
  // As `larger`, which is for lanes.
  return select(norm, division.eps, norm <= division.eps);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_matrices(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= division.workgroup_count || page[division.row].is_active == 0u) {
    return;
  }
  let matrix = workgroup / division.portion_count;
  let divisor = divisor_of(tables[division.first_total + matrix]);
  let lanes = own_lanes(workgroup % division.portion_count, local_index, division.lane_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    let lane = matrix * division.lane_step + i;
    matrices[lane] = matrices[lane] / divisor;
  }
}
