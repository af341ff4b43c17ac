// Composed with lanes.wgsl, settings.wgsl, named-rows.wgsl and `alias lane`.
//
// Last part of a sparse gradient: the first of the sorted entries of a row gets the sum of all of them, added one by
// one in order of their positions; every other entry gets zeros and no row. What comes out is read as a gradient by
// the reduction (control/reduce.wgsl) and by the step kernels.

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> values: array<lane>;
@group(0) @binding(3) var<storage, read_write> summed: array<lane>;
@group(0) @binding(4) var<storage, read_write> rows: array<u32>;

fn sum_lane(i: u32) {
  let entry = i / ROW_LANES;
  let base = settings.values_base + i % ROW_LANES;
  let row = pairs[entry].x;
  let is_first = row < settings.row_count && (entry == 0u || pairs[entry - 1u].x != row);
  var sum = lane(0.0);
  if (is_first) {
    sum = values[base + pairs[entry].y * ROW_LANES];
    for (var k = entry + 1u; k < settings.entry_count && pairs[k].x == row; k++) {
      sum = sum + values[base + pairs[k].y * ROW_LANES];
    }
  }
  summed[i] = sum;
  if (i % ROW_LANES == 0u) {
    rows[entry] = select(NO_ROW, row, is_first);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lane_count = settings.entry_count * ROW_LANES;
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, lane_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    sum_lane(i);
  }
}
