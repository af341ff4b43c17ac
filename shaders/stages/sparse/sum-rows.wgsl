// Composed with entries.wgsl, lanes.wgsl and `alias lane`.
//
// Last part of a sparse gradient: the first of the sorted entries of a row gets the sum of all of them, every other entry
// zeros and no row. What comes out is read as a gradient by the reduction (stages/control) and by the step kernels.
//
// Entries of a row are added in blocks of ROW_BLOCK, in order of their positions; the sums of blocks are added in blocks
// again, level by level (`sum_blocks`), until one is left. Each sum is kept where the first entry of its block is.

@group(0) @binding(2) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> values: array<lane>;
@group(0) @binding(5) var<storage, read_write> summed: array<lane>;
@group(0) @binding(6) var<storage, read_write> rows: array<u32>;

/// For an entry that is not its row's first; no binding is large enough for a row of this number.
const NO_ROW: u32 = 0xffffffffu;

/// Lanes per row.
override ROW_LANES: u32 = 1u;

fn sum_lane(i: u32) {
  let entry = i / ROW_LANES;
  let base = settings.values_base + i % ROW_LANES;
  let entry_count = named_entries();
  let row = pairs[entry].x;
  let within = entry - starts[entry];
  let begins_block = row < settings.row_count && within % ROW_BLOCK == 0u;
  var sum = lane(0.0);
  if (begins_block) {
    sum = values[base + pairs[entry].y * ROW_LANES];
    let end = min(entry + ROW_BLOCK, entry_count);
    for (var k = entry + 1u; k < end && pairs[k].x == row; k++) {
      sum = sum + values[base + pairs[k].y * ROW_LANES];
    }
  }
  store_sum(i, sum, select(NO_ROW, row, begins_block && within == 0u));
}

fn store_sum(i: u32, sum: lane, row: u32) {
  summed[i] = sum;
  if (i % ROW_LANES == 0u) {
    rows[i / ROW_LANES] = row;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lanes = own_lanes(
    linear_workgroup(workgroup_id, workgroup_count),
    local_index,
    settings.entry_count * ROW_LANES,
  );
  let end = min(lanes.end, named_entries() * ROW_LANES);
  var i = lanes.first;
  for (; i < end; i += lanes.stride) {
    sum_lane(i);
  }
  // Room that no entry takes may have had one in the step before.
  for (; i < lanes.end; i += lanes.stride) {
    store_sum(i, lane(0.0), NO_ROW);
  }
}

/// Adds up blocks of `settings.stride` entries in one lane of a window of as many entries. In a window, at most one such
/// sum begins that has more than one block: its row goes on past the window's end, so that the last entry is of it.
fn sum_blocks_of_lane(i: u32) {
  let stride = settings.stride;
  let window = i / ROW_LANES;
  let last = window * stride + stride - 1u;
  if (last >= named_entries()) {
    return;
  }
  let row = pairs[last].x;
  let start = starts[last];
  let head = last - (last - start) % (ROW_BLOCK * stride);
  if (row >= settings.row_count || head < window * stride) {
    return;
  }
  let base = i % ROW_LANES;
  var sum = summed[head * ROW_LANES + base];
  let end = min(head + ROW_BLOCK * stride, named_entries());
  for (var k = head + stride; k < end && pairs[k].x == row; k += stride) {
    sum = sum + summed[k * ROW_LANES + base];
    summed[k * ROW_LANES + base] = lane(0.0);
  }
  summed[head * ROW_LANES + base] = sum;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_blocks(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lane_count = (named_entries() / settings.stride) * ROW_LANES;
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, lane_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    sum_blocks_of_lane(i);
  }
}
