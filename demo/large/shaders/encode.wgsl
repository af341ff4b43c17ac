// Composed with grid.wgsl, and for the tables' dtype with Entry and features_of() (model/dtypes.ts).
//
// The encoding of each pixel of a batch: per level, the four corners of its cell, interpolated.

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> dense_table: array<Entry>;
@group(0) @binding(3) var<storage, read> sparse_table: array<Entry>;
/// Per pixel, two features of each level.
@group(0) @binding(4) var<storage, read_write> features: array<vec2<f32>>;

@compute @workgroup_size(64)
fn encode(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&features)) {
    return;
  }
  let l = id.x % LEVEL_COUNT;
  let level = grid.levels[l];
  let cell = cell_of(level, point_of(pixels[id.x / LEVEL_COUNT], grid.width, grid.height));
  var sum = vec2<f32>(0.0);
  for (var k = 0u; k < 4u; k++) {
    let entry = entry_of(level, cell.vertex + corner(k));
    if (l < FIRST_SPARSE) {
      sum += share(cell, k) * features_of(dense_table[entry]);
    } else {
      sum += share(cell, k) * features_of(sparse_table[entry]);
    }
  }
  features[id.x] = sum;
}
