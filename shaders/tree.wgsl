// Sums over a workgroup by a fixed tree; for stages/control/{reduce,decide}.wgsl and stages/measure/*.wgsl, which declare
// WORKGROUP_SIZE, a power of two. No subgroup operations: WGSL leaves open how invocations map to subgroups, so they
// would cost the promise of equal bits, to save few steps after an invocation's hundreds of loads.
//
// A partial is what is known of some squares: sums of large, medium and small ones as bits of f32, then the flags.

/// Invocations take turns at few places: workgroup memory begins at zero, and SwiftShader compiles a store for each word.
const SHARED_COUNT: u32 = 32u;

var<workgroup> shared_partials: array<vec4<u32>, SHARED_COUNT>;

fn partial_of(sums: Squares, kind: u32) -> vec4<u32> {
  let bits = select(vec3<u32>(0u), vec3<u32>(bitcast<u32>(total(sums.sum))), vec3<u32>(0u, 1u, 2u) == vec3<u32>(kind));
  return vec4<u32>(bits, any_bits(sums.flags) & (INFINITE | NOT_A_NUMBER));
}

fn add_partials(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
  let sums = bitcast<vec3<f32>>(a.xyz) + bitcast<vec3<f32>>(b.xyz);
  return vec4<u32>(bitcast<vec3<u32>>(sums), a.w | b.w);
}

/// Leaves the total in `shared_partials[0]`; all invocations must call it.
fn sum_workgroup(local_index: u32, partial: vec4<u32>) {
  let place = local_index % SHARED_COUNT;
  for (var turn = 0u; turn < WORKGROUP_SIZE; turn += SHARED_COUNT) {
    if (local_index - place == turn) {
      var sum = partial;
      if (turn > 0u) {
        sum = add_partials(shared_partials[place], partial);
      }
      shared_partials[place] = sum;
    }
    workgroupBarrier();
  }
  for (var half = min(SHARED_COUNT, WORKGROUP_SIZE) / 2u; half > 0u; half /= 2u) {
    if (local_index < half) {
      shared_partials[local_index] = add_partials(shared_partials[local_index], shared_partials[local_index + half]);
    }
    workgroupBarrier();
  }
}
