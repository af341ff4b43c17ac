// Composed with entries.wgsl and lanes.wgsl.
//
// First part of a sparse gradient: pairs (row, position) to be sorted. Rows that the table does not have get the row number
// past the last, so that they end up behind all others.

@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> pairs: array<vec2<u32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn list_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, named_entries());
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    pairs[i] = vec2<u32>(min(settings.row_count, indices[settings.indices_base + i]), i);
  }
}
