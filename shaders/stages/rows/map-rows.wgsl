// Composed with a generated alias `unit` and struct `Portion` (src/stages/rows/map-rows.ts), and lanes.wgsl.
//
// Rows of a tensor come to lie where a map says: row i is what row map[i] was. Both sides may be cut anywhere: a dispatch moves
// what lies in its part of the source to its part of the target; fresh rows stay as the target has them. Element (row, column) lies at base + row · stride + column;
// bases wrap around.

/// Units of a row.
override ROW_LENGTH: u32 = 1u;
/// Whether each row is what it was, whatever the map says.
override IS_IDENTITY: bool = false;

/// In a map: a fresh row.
const FRESH: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> portion: Portion;
@group(0) @binding(1) var<storage, read> map: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<unit>;
@group(0) @binding(3) var<storage, read_write> target_units: array<unit>;
/// How many entries of maps were of no row.
@group(0) @binding(4) var<storage, read_write> stray_count: atomic<u32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn map_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, portion.count);
  if (lanes.first >= lanes.end) {
    return;
  }
  var row = (portion.first + lanes.first) / ROW_LENGTH;
  var column = (portion.first + lanes.first) % ROW_LENGTH;
  var is_known = false;
  var is_fresh = false;
  var origin = 0u;
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    if (!is_known) {
      origin = row;
      if (!IS_IDENTITY) {
        let entry = map[portion.first_entry + row];
        is_fresh = entry >= portion.rows_before;
        origin = entry;
        if (portion.counts_strays != 0u && column == 0u && is_fresh && entry != FRESH) {
          atomicAdd(&stray_count, 1u);
        }
      }
      is_known = true;
    }
    let place = portion.target_base + row * portion.target_stride + column;
    let element = origin * ROW_LENGTH + column;
    if (!is_fresh && element >= portion.source_first && element < portion.source_end) {
      target_units[place] = source[portion.source_base + origin * portion.source_stride + column];
    }
    column += lanes.stride;
    if (column >= ROW_LENGTH) {
      row += column / ROW_LENGTH;
      column %= ROW_LENGTH;
      is_known = false;
    }
  }
}
