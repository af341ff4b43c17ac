// A layer over a batch: y = max(x W + b, 0), or without the max. Matrices lie row after row: x has a row per pixel, W one
// per input. An invocation computes 4 rows × 4 columns of a matrix with a row per pixel, so that what it loads serves four
// times.

override INPUTS: u32 = 64u;
override OUTPUTS: u32 = 64u;

struct Block {
  /// The first of its rows.
  row: u32,
  /// Which of the matrix's columns of vec4s.
  column: u32,
}

/// The block of an invocation, in a matrix of so many columns of vec4s.
fn block_of(invocation: u32, columns: u32) -> Block {
  return Block((invocation / columns) * 4u, invocation % columns);
}
