// Composed with generated declarations (src/stages/factor/compose-factor.ts), lanes.wgsl, incoming.wgsl and one rule, which declares
// `square_of`, `followed` and `divisor_of`.
//
// Second moments of matrices, by rows and columns: means of what `square_of` makes of gradients, followed from step to step, and the
// gradients divided by what they tell, in place. A tensor is one matrix or more, one behind the other; tensors of a batch are of one shape.
//
// Every sum has one order, whatever the adapter: along a row, 64 invocations take every 64th element, and add up by a tree; along a
// column, blocks of 64 rows are summed in order, then the blocks.

const THREADS: u32 = 64u;
const ROWS_PER_BLOCK: u32 = 64u;

var<workgroup> shared_sums: array<f32, THREADS>;

/// The total of a workgroup; all invocations must call it.
fn workgroup_total(local_index: u32, sum: f32) -> f32 {
  shared_sums[local_index] = sum;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    if (local_index < half) {
      shared_sums[local_index] = shared_sums[local_index] + shared_sums[local_index + half];
    }
    workgroupBarrier();
  }
  return shared_sums[0];
}

/// Whether the step is made. Uniform control flow must not depend on a private variable, as `h`.
fn is_active() -> bool {
  return page[factoring.row].is_active != 0u;
}

/// Where a matrix begins.
fn base_of(matrix: u32) -> u32 {
  let size = factoring.height * factoring.columns;
  return (matrix / factoring.per_tensor) * factoring.step + (matrix % factoring.per_tensor) * size;
}

/// Where the numbers of its rows, or of its columns, begin.
fn rows_of(matrix: u32) -> u32 {
  return places[matrix / factoring.per_tensor].x + (matrix % factoring.per_tensor) * factoring.height;
}

fn columns_of(matrix: u32) -> u32 {
  return places[matrix / factoring.per_tensor].y + (matrix % factoring.per_tensor) * factoring.columns;
}

/// A workgroup per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn follow_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  if (workgroup >= factoring.matrix_count * factoring.height || !is_active()) {
    return;
  }
  h = page[factoring.row];
  prepare();
  let matrix = workgroup / factoring.height;
  let row = workgroup % factoring.height;
  let first = base_of(matrix) + row * factoring.columns;
  var sum = 0.0;
  for (var column = local_index; column < factoring.columns; column += THREADS) {
    sum = sum + square_of(matrices[first + column]);
  }
  let total = workgroup_total(local_index, sum);
  if (local_index == 0u) {
    let place = rows_of(matrix) + row;
    factors[place] = followed(factors[place], total / f32(factoring.columns));
  }
}

/// An invocation per block of rows and column.
@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_blocks(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, workgroup_count) * THREADS + local_index;
  if (i >= factoring.matrix_count * factoring.block_count * factoring.columns || !is_active()) {
    return;
  }
  h = page[factoring.row];
  prepare();
  let column = i % factoring.columns;
  let block = i / factoring.columns;
  let base = base_of(block / factoring.block_count) + column;
  let first = (block % factoring.block_count) * ROWS_PER_BLOCK;
  var sum = 0.0;
  for (var row = first; row < min(first + ROWS_PER_BLOCK, factoring.height); row++) {
    sum = sum + square_of(matrices[base + row * factoring.columns]);
  }
  partials[i] = sum;
}

/// An invocation per column.
@compute @workgroup_size(WORKGROUP_SIZE)
fn follow_columns(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, workgroup_count) * THREADS + local_index;
  if (i >= factoring.matrix_count * factoring.columns || !is_active()) {
    return;
  }
  h = page[factoring.row];
  prepare();
  let column = i % factoring.columns;
  let matrix = i / factoring.columns;
  let first = matrix * factoring.block_count * factoring.columns + column;
  var sum = 0.0;
  for (var block = 0u; block < factoring.block_count; block++) {
    sum = sum + partials[first + block * factoring.columns];
  }
  let place = columns_of(matrix) + column;
  factors[place] = followed(factors[place], sum / f32(factoring.height));
}

/// A workgroup per matrix; the mean of its rows comes to lie behind the blocks' sums.
@compute @workgroup_size(WORKGROUP_SIZE)
fn average_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let matrix = linear_workgroup(workgroup_id, workgroup_count);
  if (matrix >= factoring.matrix_count || !is_active()) {
    return;
  }
  let first = rows_of(matrix);
  var sum = 0.0;
  for (var row = local_index; row < factoring.height; row += THREADS) {
    sum = sum + factors[first + row];
  }
  let total = workgroup_total(local_index, sum);
  if (local_index == 0u) {
    partials[factoring.first_mean + matrix] = total / f32(factoring.height);
  }
}

/// Elements by elements.
@compute @workgroup_size(WORKGROUP_SIZE)
fn divide(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  if (!is_active()) {
    return;
  }
  h = page[factoring.row];
  prepare();
  let size = factoring.height * factoring.columns;
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  let elements = own_lanes(workgroup, local_index, factoring.matrix_count * size);
  for (var i = elements.first; i < elements.end; i += elements.stride) {
    let matrix = i / size;
    let place = i % size;
    let row = factors[rows_of(matrix) + place / factoring.columns];
    let column = factors[columns_of(matrix) + place % factoring.columns];
    let element = base_of(matrix) + place;
    let mean = partials[factoring.first_mean + matrix];
    matrices[element] = matrices[element] / divisor_of(row, column, mean);
  }
}
