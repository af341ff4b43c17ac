// Composed with generated declarations (src/stages/matrix/compose-product.ts), lanes.wgsl, and tiled.wgsl or direct.wgsl, which
// have `add_products`: it leaves an invocation's sums.
//
// Products of matrices, many of one shape to a dispatch: out = addend_factor · addend + factor · left · right, and of the one that adds
// the right operand, scale times that.
// A workgroup makes one tile of 64 × 64 of one of them, an invocation 4 × 4 elements of that. Tiles are masked where a matrix
// ends. With SYMMETRIC, only the tiles on and above the diagonal are made, and mirrored: the product is then of the form YYᵀ,
// and equal bits stand on both sides, since the terms of a sum and their order are the same.
//
// Each element is one sum, over the inner index in ascending order, product by product: its bits follow from the operands alone,
// not from where tiles begin. Rows and columns past the end of a matrix are read, if at all, for sums that nobody stores.

override SYMMETRIC: bool = false;
/// What is added: nothing, the left operand, or the right one.
override ADDEND: u32 = 0u;

const TILE: u32 = 64u;
/// Groups of four elements along a side of a tile.
const FOURS: u32 = 16u;

/// Of each of an invocation's four rows, the sums of its four columns.
var<private> sums_0: vec4<f32>;
var<private> sums_1: vec4<f32>;
var<private> sums_2: vec4<f32>;
var<private> sums_3: vec4<f32>;

fn left_at(matrix: u32, row: u32, inner: u32) -> f32 {
  return left[matrix * product.left_step + row * product.left_row + inner * product.left_inner];
}

fn right_at(matrix: u32, inner: u32, column: u32) -> f32 {
  return right[matrix * product.right_step + inner * product.right_inner + column * product.right_column];
}

fn store(matrix: u32, row: u32, column: u32, sum: f32) {
  if (row >= product.rows || column >= product.columns) {
    return;
  }
  var value = sum;
  if (ADDEND == 1u) {
    value = product.addend_factor * left_at(matrix, row, column) + product.factor * sum;
  }
  if (ADDEND == 2u) {
    value = product.scale * (product.addend_factor * right_at(matrix, row, column) + product.factor * sum);
  }
  out[matrix * product.out_step + row * product.out_row + column * product.out_column] = value;
}

fn store_four(matrix: u32, row: u32, column: u32, sums: vec4<f32>, is_mirrored: bool) {
  for (var k = 0u; k < 4u; k++) {
    store(matrix, row, column + k, sums[k]);
    if (is_mirrored) {
      store(matrix, column + k, row, sums[k]);
    }
  }
}

/// The tile of a number: row by row, of all, or of those on and above the diagonal.
fn tile_of(number: u32) -> vec2<u32> {
  if (!SYMMETRIC) {
    return vec2<u32>(number / product.tiles_across, number % product.tiles_across);
  }
  var down = 0u;
  var rest = number;
  while (rest >= product.tiles_across - down) {
    rest -= product.tiles_across - down;
    down++;
  }
  return vec2<u32>(down, down + rest);
}

@compute @workgroup_size(256)
fn multiply(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= product.workgroup_count || page[product.row].is_active == 0u) {
    return;
  }
  let matrix = workgroup / product.tile_count;
  let tile = tile_of(workgroup % product.tile_count);
  add_products(matrix, TILE * tile.x, TILE * tile.y, local_index);
  let row = TILE * tile.x + 4u * (local_index / FOURS);
  let column = TILE * tile.y + 4u * (local_index % FOURS);
  let is_mirrored = SYMMETRIC && tile.x != tile.y;
  store_four(matrix, row, column, sums_0, is_mirrored);
  store_four(matrix, row + 1u, column, sums_1, is_mirrored);
  store_four(matrix, row + 2u, column, sums_2, is_mirrored);
  store_four(matrix, row + 3u, column, sums_3, is_mirrored);
}
