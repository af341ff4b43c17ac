// What a splat is, for all kernels. Its numbers lie side by side, as hand-written trainers keep them; the optimizer steps each of
// them where it lies (model/fields.ts).

/// Pixels within so many standard deviations see a splat.
const REACH: f32 = 3.0;
/// Pixels of a tile's side.
const TILE: u32 = 16u;
/// What a splat adds to a pixel is a whole number of 1 / FIXED, so that sums are the same in any order.
const FIXED: f32 = 4194304.0;

struct Splat {
  /// Of its centre, in pixels from the upper left corner.
  position: vec2f,
  /// Natural logarithms of its standard deviations along its axes, in pixels.
  log_scale: vec2f,
  /// The direction of the first axis: cosine and sine.
  rotation: vec2f,
  /// The logit of what it adds at its centre.
  opacity: f32,
  /// What it adds, red, green, blue; may be below 0.
  colour: vec3f,
}

/// What pixels ask of a splat.
struct Shape {
  /// The axes, each divided by its standard deviation: a pixel's offset times them is measured in deviations.
  axes: vec4f,
  centre: vec2f,
  /// The first pixel that may see it and the one behind the last, 16 bits each, across and down.
  bounds: vec2u,
  /// Times opacity.
  colour: vec3f,
  /// In (0, 1).
  opacity: f32,
}

struct Frame {
  /// Of the picture, in pixels.
  size: vec2u,
  /// Of the picture, in tiles.
  tiles: vec2u,
  /// Of the present step.
  step: u32,
}

/// The first pixel, or the one behind the last.
fn corner(packed: u32) -> vec2u {
  return vec2u(packed & 0xffffu, packed >> 16u);
}

/// The first tile that sees the shape (xy), and the one behind the last (zw).
fn tiles_of(shape: Shape) -> vec4u {
  let first = corner(shape.bounds.x);
  let end = corner(shape.bounds.y);
  if (any(end <= first)) {
    return vec4u(0u);
  }
  return vec4u(first / TILE, (end + TILE - 1u) / TILE);
}
