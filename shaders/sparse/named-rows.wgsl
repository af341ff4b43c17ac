// The list `rows`: per entry of a sparse gradient, the row that it is the first of. Written by sum-rows.wgsl, and read by
// step kernels that step the rows of the list and no others.

/// For an entry that is not its row's first; no binding is large enough for a row of this number.
const NO_ROW: u32 = 0xffffffffu;

/// Lanes per row.
override ROW_LANES: u32 = 1u;

/// Whether an entry is the first of its row; the others have no gradient left and must write nothing.
fn is_named(i: u32) -> bool {
  return rows[i / ROW_LANES] != NO_ROW;
}

/// Where lane i of the list lies in the table; 0 for an entry that has no row, so that no load leaves the table.
fn table_position(i: u32) -> u32 {
  return select(0u, rows[i / ROW_LANES] * ROW_LANES + i % ROW_LANES, is_named(i));
}
