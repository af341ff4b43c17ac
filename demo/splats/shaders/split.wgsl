// Composed with splat.wgsl.
//
// Behind the map: a splat that is there twice becomes two, side by side along its longer axis, which together have its mass, its
// centre and its variance; so the picture hardly changes, and with it neither do the loss nor the moments that both take over.

/// From the centre of the whole to that of a half, in deviations of the whole; a half's is then √(1 − SHIFT²) of it.
const SHIFT: f32 = 0.6;
const SHRINK: f32 = 0.8;

/// Rows of halves begin behind the others.
@group(0) @binding(0) var<storage, read_write> splats: array<Splat>;
@group(0) @binding(1) var<storage, read> partners: array<u32>;

@compute @workgroup_size(64)
fn split(@builtin(global_invocation_id) id: vec3u) {
  let count = arrayLength(&partners);
  if (id.x >= count) {
    return;
  }
  let partner = partners[id.x];
  var half = splats[partner];
  let is_first_longer = half.log_scale.x >= half.log_scale.y;
  let axis = select(vec2f(-half.rotation.y, half.rotation.x), half.rotation, is_first_longer);
  let shift = SHIFT * exp(max(half.log_scale.x, half.log_scale.y)) * axis;
  half.log_scale += log(SHRINK) * select(vec2f(0.0, 1.0), vec2f(1.0, 0.0), is_first_longer);
  half.colour /= 2.0 * SHRINK;
  let centre = half.position;
  half.position = centre - shift;
  splats[partner] = half;
  half.position = centre + shift;
  splats[arrayLength(&splats) - count + id.x] = half;
}
