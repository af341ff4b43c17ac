// Composed with entries.wgsl and lanes.wgsl.
//
// Behind the sort: per entry, the place of the first entry of its row, which says how many of the row come before it. Rows
// mostly have few entries, so the search goes back from the entry in steps that double.

@group(0) @binding(2) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> starts: array<u32>;

fn start_of(entry: u32) -> u32 {
  let row = pairs[entry].x;
  // Nobody asks where entries without a row begin.
  if (row >= settings.row_count) {
    return entry;
  }
  var known = entry;
  var step = 1u;
  while (step <= known && pairs[known - step].x == row) {
    known -= step;
    step *= 2u;
  }
  // Between the last one looked at, which is of another row, and the first known one of this.
  var first = 0u;
  if (step <= known) {
    first = known - step + 1u;
  }
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

@compute @workgroup_size(WORKGROUP_SIZE)
fn find_starts(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, named_entries());
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    starts[i] = start_of(i);
  }
}
