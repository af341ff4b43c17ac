// Composed with a generated alias `unit`, struct `Portion`, unit_at() of the source, put_unit() in the target, and move_units()
// (src/stages/rows/map-kernel.ts).
//
// Rows of a tensor come to lie where a map says: row i is what row map[i] was. Both sides may be cut anywhere: a dispatch moves
// what lies in its part of the source to its part of the target. Unit (row, column) lies at base + row · stride + column, of the
// columns that are moved; bases wrap around.

override WORKGROUP_SIZE: u32 = 256u;
/// Neighbouring rows that an invocation moves its columns of.
override ROWS_PER_INVOCATION: u32 = 1u;
/// Units of a row that are moved.
override COLUMN_COUNT: u32 = 1u;
/// Units of a row, on either side.
override SOURCE_ROW_LENGTH: u32 = 1u;
override TARGET_ROW_LENGTH: u32 = 1u;
/// Units of a row that an invocation moves; they divide COLUMN_COUNT.
override SHARE: u32 = 1u;
/// Whether rows that are no fresh ones stay where they are.
override STAYS: bool = false;
/// Whether fresh rows are filled; else they stay as the target has them.
override FILLS: bool = false;
/// Whether a part begins or ends within a row.
override IS_CUT: bool = false;

/// In a map: a fresh row.
const FRESH: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> portion: Portion;
@group(0) @binding(1) var<storage, read> map: array<u32>;
/// How many entries of maps were of no row.
@group(0) @binding(4) var<storage, read_write> stray_count: atomic<u32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn map_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let shares = COLUMN_COUNT / SHARE;
  let id = (workgroup_id.y * workgroup_count.x + workgroup_id.x) * WORKGROUP_SIZE + local_index;
  let column = (id % shares) * SHARE;
  let first = min((id / shares) * ROWS_PER_INVOCATION, portion.row_count);
  let end = min(first + ROWS_PER_INVOCATION, portion.row_count);
  for (var k = first; k < end; k++) {
    let row = portion.first_row + k;
    let entry = map[portion.first_entry + row];
    let is_known = entry < portion.rows_before;
    if (portion.counts_strays != 0u && !is_known && entry != FRESH && column == 0u && is_in_target(row, 0u)) {
      atomicAdd(&stray_count, 1u);
    }
    let origin = select(entry, row, STAYS);
    if (is_known && origin >= portion.source_first_row && origin < portion.source_end_row) {
      move_units(row, origin, column);
    }
    if (FILLS && !is_known) {
      fill_units(row, column);
    }
  }
}

/// Moves a unit of a row; of a cut one, if both its places are in the parts at hand.
fn move_unit(row: u32, origin: u32, column: u32) {
  if (IS_CUT && !(is_in_target(row, column) && is_in_source(origin, column))) {
    return;
  }
  let value = unit_at(portion.source_base + origin * portion.source_stride + column);
  put_unit(portion.target_base + row * portion.target_stride + column, value);
}

fn fill_units(row: u32, column: u32) {
  for (var k = column; k < column + SHARE; k++) {
    if (!IS_CUT || is_in_target(row, k)) {
      put_unit(portion.target_base + row * portion.target_stride + k, unit(portion.fresh));
    }
  }
}

fn is_in_target(row: u32, column: u32) -> bool {
  let at = row * TARGET_ROW_LENGTH + portion.target_column + column;
  return at >= portion.first && at < portion.end;
}

fn is_in_source(row: u32, column: u32) -> bool {
  let at = row * SOURCE_ROW_LENGTH + portion.source_column + column;
  return at >= portion.source_first && at < portion.source_end;
}
