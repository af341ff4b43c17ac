// Composed with splat.wgsl.
//
// The picture: a pixel is the sum of what the splats that it sees add to it, as GaussianImage (Zhang et al. 2024) has it, with
// no order among them. And what it differs from the photograph by. A workgroup does a tile, an invocation four pixels side by side,
// for which it reads a splat once.

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
/// Per invocation, the sum of its squared errors; those of a tile lie together.
@group(0) @binding(7) var<storage, read_write> errors: array<f32>;

const WIDTH: u32 = 4u;

@compute @workgroup_size(TILE / WIDTH, TILE)
fn render(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let tile_index = tile.y * frame.tiles.x + tile.x;
  let end = tile_ends[tile_index];
  let first = vec2u(WIDTH * id.x, id.y);
  let middles = vec4f(first.x + vec4u(0u, 1u, 2u, 3u)) + 0.5;
  var red = vec4i(0);
  var green = vec4i(0);
  var blue = vec4i(0);
  for (var k = select(0u, tile_ends[max(tile_index, 1u) - 1u], tile_index > 0u); k < end; k++) {
    let splat = entries[k];
    let axes = shapes[splat].axes;
    let across = middles - shapes[splat].centre.x;
    let down = f32(first.y) + 0.5 - shapes[splat].centre.y;
    let a = axes.x * across + axes.y * down;
    let b = axes.z * across + axes.w * down;
    let distances = a * a + b * b;
    let is_seen = distances < vec4f(REACH * REACH);
    if (any(is_seen)) {
      let bells = select(vec4f(0.0), exp(-0.5 * distances), is_seen);
      let colour = shapes[splat].colour * FIXED;
      red += vec4i(round(bells * colour.r));
      green += vec4i(round(bells * colour.g));
      blue += vec4i(round(bells * colour.b));
    }
  }
  var error = 0.0;
  for (var k = 0u; k < WIDTH; k++) {
    if (first.x + k < frame.size.x && first.y < frame.size.y) {
      let pixel = first.y * frame.size.x + first.x + k;
      let colour = vec3f(vec3i(red[k], green[k], blue[k])) / FIXED;
      let difference = colour - unpack4x8unorm(photo[pixel]).rgb;
      error += dot(difference, difference);
      derivatives[pixel] = vec4f(difference * (2.0 / (3.0 * f32(frame.size.x * frame.size.y))), 0.0);
      picture[pixel] = pack4x8unorm(vec4f(clamp(colour, vec3f(0.0), vec3f(1.0)), 1.0));
    }
  }
  errors[tile_index * (TILE * TILE / WIDTH) + local_index] = error;
}
