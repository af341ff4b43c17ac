// Sums of products for GPUs, for product.wgsl: what a workgroup needs of both operands lies in its memory, 16 inner indices at a time.

/// Inner indices of a tile.
const DEPTH: u32 = 16u;

/// Per inner index, the elements of 64 rows of the left operand, and of 64 columns of the right one.
var<workgroup> left_tile: array<vec4<f32>, 256>;
var<workgroup> right_tile: array<vec4<f32>, 256>;

fn add_products(matrix: u32, first_row: u32, first_column: u32, local_index: u32) {
  // An invocation loads four neighbours of each tile, at one inner index.
  let loaded_inner = local_index % DEPTH;
  let loaded_four = local_index / DEPTH;
  let row = first_row + 4u * loaded_four;
  let column = first_column + 4u * loaded_four;
  let four_down = local_index / FOURS;
  let four_across = local_index % FOURS;
  for (var first_inner = 0u; first_inner < product.inner; first_inner += DEPTH) {
    let inner = first_inner + loaded_inner;
    // Past the last inner index both are 0, and add nothing.
    var down = vec4<f32>();
    var across = vec4<f32>();
    if (inner < product.inner) {
      down = vec4<f32>(
        left_at(matrix, row, inner),
        left_at(matrix, row + 1u, inner),
        left_at(matrix, row + 2u, inner),
        left_at(matrix, row + 3u, inner),
      );
      across = vec4<f32>(
        right_at(matrix, inner, column),
        right_at(matrix, inner, column + 1u),
        right_at(matrix, inner, column + 2u),
        right_at(matrix, inner, column + 3u),
      );
    }
    left_tile[loaded_inner * FOURS + loaded_four] = down;
    right_tile[loaded_inner * FOURS + loaded_four] = across;
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let l = left_tile[k * FOURS + four_down];
      let r = right_tile[k * FOURS + four_across];
      sums_0 = sums_0 + l.x * r;
      sums_1 = sums_1 + l.y * r;
      sums_2 = sums_2 + l.z * r;
      sums_3 = sums_3 + l.w * r;
    }
    workgroupBarrier();
  }
}
