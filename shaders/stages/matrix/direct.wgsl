// Sums of products for CPU adapters, for product.wgsl: caches hold what is near, and barriers and workgroup memory cost time, at
// compiling, too.

fn add_products(matrix: u32, first_row: u32, first_column: u32, local_index: u32) {
  let row = first_row + 4u * (local_index / FOURS);
  let column = first_column + 4u * (local_index % FOURS);
  if (row >= product.rows || column >= product.columns) {
    return;
  }
  let next = vec4<u32>(0u, 1u, 2u, 3u);
  var l = matrix * product.left_step + (row + next) * product.left_row;
  var r = matrix * product.right_step + (column + next) * product.right_column;
  for (var k = 0u; k < product.inner; k++) {
    let across = vec4<f32>(right[r.x], right[r.y], right[r.z], right[r.w]);
    sums_0 = sums_0 + left[l.x] * across;
    sums_1 = sums_1 + left[l.y] * across;
    sums_2 = sums_2 + left[l.z] * across;
    sums_3 = sums_3 + left[l.w] * across;
    l = l + vec4<u32>(product.left_inner);
    r = r + vec4<u32>(product.right_inner);
  }
}
