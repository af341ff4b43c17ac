// What a layer gives, y; behind layer.wgsl.

override IS_RECTIFIED: bool = true;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn layer_forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = OUTPUTS / 4u;
  let depth = INPUTS / 4u;
  let block = block_of(id.x, columns);
  let column = block.column;
  let row = block.row;
  if (row * columns >= arrayLength(&y)) {
    return;
  }
  var sums = array<vec4<f32>, 4>(bias[column], bias[column], bias[column], bias[column]);
  for (var k = 0u; k < depth; k++) {
    let at = 4u * k * columns + column;
    let w0 = weights[at];
    let w1 = weights[at + columns];
    let w2 = weights[at + 2u * columns];
    let w3 = weights[at + 3u * columns];
    for (var r = 0u; r < 4u; r++) {
      let v = x[(row + r) * depth + k];
      sums[r] += v.x * w0 + v.y * w1 + v.z * w2 + v.w * w3;
    }
  }
  for (var r = 0u; r < 4u; r++) {
    y[(row + r) * columns + column] = select(sums[r], max(sums[r], vec4<f32>(0.0)), IS_RECTIFIED);
  }
}
