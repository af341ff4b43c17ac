// Composed with a generated alias `unit` and struct `Portion` (src/stages/rows/map-rows.ts), and lanes.wgsl.
//
// Rows of a tensor come to lie where a map says: row i is what row map[i] was. Both sides may be cut anywhere: a dispatch moves
// what lies in its part of the source to its part of the target. Element (row, column) lies at base + row · stride + column;
// bases wrap around.

/// Units of a row.
override ROW_LENGTH: u32 = 1u;
/// Whether each row is what it was, whatever the map says.
override IS_IDENTITY: bool = false;
/// Whether a fresh row of the target takes what the same row of the source holds; else it is the initial value, or left alone.
override FRESH_IS_OWN: bool = false;
override FRESH_IS_INITIAL: bool = false;

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
        let entry = map[row];
        is_fresh = entry >= portion.rows_before;
        if (!is_fresh || !FRESH_IS_OWN) {
          origin = entry;
        }
        if (portion.counts_strays != 0u && column == 0u && is_fresh && entry != FRESH) {
          atomicAdd(&stray_count, 1u);
        }
      }
      is_known = true;
    }
    let place = portion.target_base + row * portion.target_stride + column;
    if (is_fresh && !FRESH_IS_OWN) {
      if (FRESH_IS_INITIAL && portion.fills_fresh != 0u) {
        target_units[place] = unit(portion.initial);
      }
    } else {
      let element = origin * ROW_LENGTH + column;
      if (element >= portion.source_first && element < portion.source_end) {
        target_units[place] = source[portion.source_base + origin * portion.source_stride + column];
      }
    }
    column += lanes.stride;
    if (column >= ROW_LENGTH) {
      row += column / ROW_LENGTH;
      column %= ROW_LENGTH;
      is_known = false;
    }
  }
}
