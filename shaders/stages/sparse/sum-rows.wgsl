// Composed with entries.wgsl, lanes.wgsl and `alias lane`.
//
// Last part of a sparse gradient: the first of the sorted entries of a row gets the sum of all of them, every other entry
// zeros and no row. What comes out is read as a gradient by the reduction (stages/control) and by the step kernels.
//
// Entries of a row are added in blocks of ROW_BLOCK, in order of their positions; the sums of blocks are added in blocks
// again, level by level (`sum_blocks`), until one is left. Each sum is kept where the first entry of its block is.

@group(0) @binding(2) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> values: array<lane>;
@group(0) @binding(4) var<storage, read_write> summed: array<lane>;
@group(0) @binding(5) var<storage, read_write> rows: array<u32>;

/// For an entry that is not its row's first; no binding is large enough for a row of this number.
const NO_ROW: u32 = 0xffffffffu;

/// Lanes per row.
override ROW_LANES: u32 = 1u;

/// The place of the first entry of an entry's row, which says how many of the row come before it. Rows mostly have few entries, so the search
/// goes back in steps that double.
fn start_of(entry: u32, row: u32) -> u32 {
  var known = entry;
  var step = 1u;
  while (step <= known && pairs[known - step].x == row) {
    known -= step;
    step *= 2u;
  }
  // Between the last one looked at, which is of another row, and the first known one of this.
  var first = known - min(step - 1u, known);
  while (first < known) {
    let middle = (first + known) / 2u;
    if (pairs[middle].x == row) {
      known = middle;
    } else {
      first = middle + 1u;
    }
  }
  return known;
}

/// Of an entry: its row if it is the first of that, and how many entries of the row are added where it is.
fn block_of(entry: u32) -> vec2<u32> {
  let row = pairs[entry].x;
  let within = entry - start_of(entry, row);
  // Room that no entry takes may have had one in the step before.
  if (entry >= named_entries() || row >= settings.row_count || within % ROW_BLOCK != 0u) {
    return vec2<u32>(NO_ROW, 0u);
  }
  var end = entry + 1u;
  while (end < min(entry + ROW_BLOCK, named_entries()) && pairs[end].x == row) {
    end++;
  }
  return vec2<u32>(select(NO_ROW, row, within == 0u), end - entry);
}

/// What is added to the number of an entry's lane for that of what is added.
fn shift_of(entry: u32) -> u32 {
  return settings.values_base + (pairs[entry].y - entry) * ROW_LANES;
}

fn value_at(index: u32) -> lane {
  return values[index];
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
  var i = lanes.first;
  // What is the same for lanes of an entry is found out once.
  while (i < lanes.end) {
    let entry = i / ROW_LANES;
    let end_of_entry = min(lanes.end, (entry + 1u) * ROW_LANES);
    let block = block_of(entry);
    let shift = shift_of(entry);
    if (i % ROW_LANES == 0u) {
      rows[entry] = block.x;
    }
    for (; i < end_of_entry; i += lanes.stride) {
      var sum = select(lane(0.0), value_at(i + shift), block.y > 0u);
      for (var k = 1u; k < block.y; k++) {
        sum = sum + value_at(i + k * ROW_LANES + shift_of(entry + k));
      }
      summed[i] = sum;
    }
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
  let head = last - (last - start_of(last, row)) % (ROW_BLOCK * stride);
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
