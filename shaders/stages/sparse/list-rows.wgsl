// Composed with generated declarations (src/stages/sparse/compose-row-sums.ts) and lanes.wgsl.
//
// First part of a sparse gradient: pairs (row, position) to be sorted. Entries past the count and rows that the table does
// not have get the row number past the last, so that they end up behind all others.

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> pairs: array<vec2<u32>>;

/// Whether the count is on the GPU; otherwise `counts` is bound to something of no meaning.
override HAS_COUNT: bool = false;

@compute @workgroup_size(WORKGROUP_SIZE)
fn list_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  var count = settings.entry_count;
  if (HAS_COUNT) {
    count = min(count, counts[settings.count_base]);
  }
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, settings.entry_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    var row = settings.row_count;
    if (i < count) {
      row = min(row, indices[settings.indices_base + i]);
    }
    pairs[i] = vec2<u32>(row, i);
  }
}
