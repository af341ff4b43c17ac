// What the kernels of a sparse gradient are told; for list-rows.wgsl, radix-sort.wgsl and sum-rows.wgsl.

struct Settings {
  entry_count: u32,
  /// Rows of the table; also stands for the row of an entry that names none.
  row_count: u32,
  /// Blocks that a sort is cut into.
  block_count: u32,
  /// Lowest bit of the digit that this pass of a sort looks at.
  shift: u32,
  indices_base: u32,
  count_base: u32,
  /// In lanes of sum-rows.wgsl.
  values_base: u32,
}
