// What a layer's output gradient is for its input: dx = dy Wᵀ, and 0 where the rectifier before it gave 0; behind
// layer.wgsl.

/// Whether x is what a rectifier gave.
override IS_RECTIFIED: bool = true;

@group(0) @binding(0) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn layer_backward(@builtin(global_invocation_id) id: vec3u) {
  let columns = INPUTS / 4u;
  let depth = OUTPUTS / 4u;
  let block = block_of(id.x, columns);
  let column = block.column;
  let row = block.row;
  if (row * columns >= arrayLength(&dx)) {
    return;
  }
  var sums = array<vec4<f32>, 4>();
  for (var k = 0u; k < depth; k++) {
    let at = 4u * column * depth + k;
    let w0 = weights[at];
    let w1 = weights[at + depth];
    let w2 = weights[at + 2u * depth];
    let w3 = weights[at + 3u * depth];
    for (var r = 0u; r < 4u; r++) {
      let g = dy[(row + r) * depth + k];
      sums[r] += vec4<f32>(dot(g, w0), dot(g, w1), dot(g, w2), dot(g, w3));
    }
  }
  for (var r = 0u; r < 4u; r++) {
    let at = (row + r) * columns + column;
    dx[at] = select(vec4<f32>(0.0), sums[r], (x[at] > vec4<f32>(0.0)) | vec4<bool>(!IS_RECTIFIED));
  }
}
