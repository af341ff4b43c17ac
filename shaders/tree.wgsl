// The sum of a workgroup's partial sums and flags, by a fixed tree; for reduce.wgsl, finalize.wgsl and
// tensor/*.wgsl, which declare WORKGROUP_SIZE, a power of two. No subgroup operations: WGSL leaves open how invocations map to subgroups, so they
// would cost the promise of equal bits, to save six steps after an invocation's hundreds of loads.

var<workgroup> shared_sums: array<vec4<f32>, WORKGROUP_SIZE>;
var<workgroup> shared_flags: array<u32, WORKGROUP_SIZE>;

/// Leaves the totals in element 0; all invocations must call it.
fn sum_workgroup(local_index: u32, sums: vec4<f32>, flags: u32) {
  shared_sums[local_index] = sums;
  shared_flags[local_index] = flags;
  workgroupBarrier();
  for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
    if (local_index < half) {
      shared_sums[local_index] = shared_sums[local_index] + shared_sums[local_index + half];
      shared_flags[local_index] |= shared_flags[local_index + half];
    }
    workgroupBarrier();
  }
}

/// The totals as they are kept: sums of large, medium and small squares as bits of f32, then the flags.
fn partial_of_workgroup() -> vec4<u32> {
  return vec4<u32>(bitcast<vec3<u32>>(shared_sums[0].xyz), shared_flags[0]);
}

fn sums_of_partial(partial: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(bitcast<vec3<f32>>(partial.xyz), 0.0);
}
