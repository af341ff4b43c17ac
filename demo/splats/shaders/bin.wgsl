// Composed with splat.wgsl.
//
// Which splats each tile sees. `shape_splats` counts them per tile, a prefix sum (scan.wgsl) makes places of the counts, and
// `fill` writes each splat's number at the next place of each of its tiles, which leaves at a tile where the next tile's places
// begin. Their order within a tile is another one in each run; the sum in fixed point does not depend on it.

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> splats: array<Splat>;
@group(0) @binding(2) var<storage, read_write> shapes: array<Shape>;
/// Zeros before `shape_splats`, then counts; after the prefix sum, places.
@group(0) @binding(3) var<storage, read_write> tile_ends: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> entries: array<u32>;

@compute @workgroup_size(64)
fn shape_splats(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&splats)) {
    return;
  }
  let splat = splats[id.x];
  let deviations = exp(splat.log_scale);
  let first = splat.rotation / deviations.x;
  let second = vec2f(-splat.rotation.y, splat.rotation.x) / deviations.y;
  // Half the sides of the box around the ellipse; a little more, for what was rounded on the way.
  let squares = deviations * deviations;
  let turns = splat.rotation * splat.rotation;
  let half = REACH * 1.0001 * sqrt(vec2f(dot(turns, squares), dot(turns.yx, squares))) + 0.001;
  let limit = vec2f(frame.size);
  let from_pixel = clamp(ceil(splat.position - half - 0.5), vec2f(0.0), limit);
  let to_pixel = clamp(floor(splat.position + half + 0.5), vec2f(0.0), limit);
  var shape: Shape;
  shape.axes = vec4f(first, second);
  shape.centre = splat.position;
  shape.bounds = vec2u(u32(from_pixel.x) | (u32(from_pixel.y) << 16u), u32(to_pixel.x) | (u32(to_pixel.y) << 16u));
  shape.opacity = 1.0 / (1.0 + exp(-splat.opacity));
  shape.colour = shape.opacity * splat.colour;
  shapes[id.x] = shape;
  let tiles = tiles_of(shape);
  for (var y = tiles.y; y < tiles.w; y++) {
    for (var x = tiles.x; x < tiles.z; x++) {
      atomicAdd(&tile_ends[y * frame.tiles.x + x], 1u);
    }
  }
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&shapes)) {
    return;
  }
  let tiles = tiles_of(shapes[id.x]);
  for (var y = tiles.y; y < tiles.w; y++) {
    for (var x = tiles.x; x < tiles.z; x++) {
      entries[atomicAdd(&tile_ends[y * frame.tiles.x + x], 1u)] = id.x;
    }
  }
}
