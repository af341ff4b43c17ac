// Composed with splat.wgsl.
//
// The picture: a pixel is the sum of what the splats that it sees add to it, as GaussianImage (Zhang et al. 2024) has it, with
// no order among them. And what it differs from the photograph by. A workgroup does a tile.

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> shapes: array<Shape>;
/// Per tile, where its entries end; they begin where the tile before ends.
@group(0) @binding(2) var<storage, read> tile_ends: array<u32>;
@group(0) @binding(3) var<storage, read> entries: array<u32>;
/// RGBA, 8 bits each.
@group(0) @binding(4) var<storage, read> photo: array<u32>;
@group(0) @binding(5) var<storage, read_write> picture: array<u32>;
/// Per pixel, the derivative of the loss by its colour.
@group(0) @binding(6) var<storage, read_write> derivatives: array<vec4f>;
/// Per tile, the sum of its squared errors.
@group(0) @binding(7) var<storage, read_write> tile_errors: array<f32>;

const PIXELS: u32 = TILE * TILE;

var<workgroup> sums: array<f32, PIXELS>;

@compute @workgroup_size(TILE, TILE)
fn render(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let tile_index = tile.y * frame.tiles.x + tile.x;
  let end = tile_ends[tile_index];
  var sum = vec3i(0);
  for (var k = select(0u, tile_ends[max(tile_index, 1u) - 1u], tile_index > 0u); k < end; k++) {
    let shape = shapes[entries[k]];
    let offset = offset_of(id.xy, shape);
    if (is_seen(offset)) {
      sum += vec3i(round(bell(offset) * shape.colour * FIXED));
    }
  }
  var error = 0.0;
  if (all(id.xy < frame.size)) {
    let pixel = id.y * frame.size.x + id.x;
    let colour = vec3f(sum) / FIXED;
    let difference = colour - unpack4x8unorm(photo[pixel]).rgb;
    error = dot(difference, difference);
    derivatives[pixel] = vec4f(difference * (2.0 / (3.0 * f32(frame.size.x * frame.size.y))), 0.0);
    picture[pixel] = pack4x8unorm(vec4f(clamp(colour, vec3f(0.0), vec3f(1.0)), 1.0));
  }
  sums[local_index] = error;
  for (var half = PIXELS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local_index < half) {
      sums[local_index] += sums[local_index + half];
    }
  }
  if (local_index == 0u) {
    tile_errors[tile_index] = sums[0];
  }
}
