// The gradients of a layer's weights and bias: dW = xᵀ dy, db = the sum of dy's rows. First `partial_sums` of few rows each,
// then `sum` of these: always in the same order, so that a seed gives the same bits every time; behind
// layer.wgsl.

/// Rows of a partial sum.
override ROWS: u32 = 256u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;

/// An invocation sums 4 inputs × 4 outputs; the blocks behind the last inputs are the bias, as if its input were 1.
@compute @workgroup_size(64)
fn partial_sums(@builtin(global_invocation_id) id: vec3u) {
  let columns = OUTPUTS / 4u;
  let inputs = INPUTS / 4u;
  let block = id.x % (columns * (inputs + 1u));
  let part = id.x / (columns * (inputs + 1u));
  let column = block % columns;
  let input = block / columns;
  let first = part * ROWS;
  let end = min(first + ROWS, arrayLength(&dy) / columns);
  if (first >= end) {
    return;
  }
  var sums = array<vec4<f32>, 4>();
  for (var row = first; row < end; row++) {
    let g = dy[row * columns + column];
    var v = vec4<f32>(1.0, 0.0, 0.0, 0.0);
    if (input < inputs) {
      v = x[row * inputs + input];
    }
    sums[0] += v.x * g;
    sums[1] += v.y * g;
    sums[2] += v.z * g;
    sums[3] += v.w * g;
  }
  let base = part * columns * (INPUTS + 4u) + 4u * input * columns + column;
  for (var r = 0u; r < 4u; r++) {
    partials[base + r * columns] = sums[r];
  }
}

override PARTS: u32 = 64u;

@group(0) @binding(3) var<storage, read> given_partials: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> weight_gradients: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> bias_gradients: array<vec4<f32>>;

@compute @workgroup_size(64)
fn sum(@builtin(global_invocation_id) id: vec3u) {
  let columns = OUTPUTS / 4u;
  if (id.x >= columns * (INPUTS + 1u)) {
    return;
  }
  var total = vec4<f32>(0.0);
  for (var part = 0u; part < PARTS; part++) {
    total += given_partials[part * columns * (INPUTS + 4u) + id.x];
  }
  if (id.x < columns * INPUTS) {
    weight_gradients[id.x] = total;
  } else {
    bias_gradients[id.x - columns * INPUTS] = total;
  }
}
