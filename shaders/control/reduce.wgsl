// Composed with lanes.wgsl, squares.wgsl and tree.wgsl.
//
// First level of the gradient norm: one partial per workgroup of one stretch of a gradient.
//
// The tree is fixed by the stretches, by how each lies to 16 bytes, and by the shape of the kernel: the same gradients in
// the same places give the same bits on every run.

struct Stretch {
  /// Whole vec4s from `vector_base`; before and after them up to three single words each.
  vector_count: u32,
  vector_base: u32,
  head_count: u32,
  head_base: u32,
  tail_count: u32,
  tail_base: u32,
  partial_base: u32,
  workgroup_count: u32,
}

@group(0) @binding(0) var<uniform> uniform_stretch: Stretch;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> words: array<u32>;
/// Per workgroup: sums of large, medium and small squares as bits of f32, then the flags.
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<u32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let stretch = uniform_stretch;
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  let lanes = own_lanes(workgroup, local_index, stretch.vector_count);
  var sums: Squares;
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    sums = add_ordinary_squares(sums, vectors[stretch.vector_base + i]);
  }
  // Gradients hardly ever span eighty powers of two, so most invocations end here; the others begin again. A second
  // loop, not a branch in the first: CPU adapters run both sides of a branch.
  var careful_end = lanes.end;
  if (all_flags(sums) == 0u) {
    careful_end = lanes.first;
  } else {
    sums = Squares();
  }
  for (var i = lanes.first; i < careful_end; i += lanes.stride) {
    sums = add_squares(sums, vectors[stretch.vector_base + i]);
  }
  if (workgroup == 0u && local_index == 0u) {
    for (var i = 0u; i < stretch.head_count; i++) {
      sums = add_squares(sums, vec4<u32>(words[stretch.head_base + i], 0u, 0u, 0u));
    }
    for (var i = 0u; i < stretch.tail_count; i++) {
      sums = add_squares(sums, vec4<u32>(words[stretch.tail_base + i], 0u, 0u, 0u));
    }
  }
  sum_workgroup(local_index, totals(sums), all_flags(sums));
  if (local_index == 0u && workgroup < stretch.workgroup_count) {
    partials[stretch.partial_base + workgroup] = partial_of_workgroup();
  }
}
