// Composed with splat.wgsl.
//
// The loss by each number of a splat. An invocation gathers those of one splat from the pixels in its box, always in the same
// order: no atomics, and the same bits in each run.
//
// With D the loss by a pixel's colour, w = opacity · bell what the splat adds per colour, a its offset in deviations and
// s = w D · colour, all follows from sums over the pixels: of w D, and of s times 1, a, a² and a₁a₂.

/// Floats of a splat's gradients: colour, opacity, position, log_scale, rotation, packed.
const GRADIENT_LENGTH: u32 = 10u;

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> splats: array<Splat>;
@group(0) @binding(2) var<storage, read> shapes: array<Shape>;
@group(0) @binding(3) var<storage, read> derivatives: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;
/// Per splat, how hard the steps since the last densification have pulled at its position.
@group(0) @binding(5) var<storage, read_write> strains: array<f32>;

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&splats)) {
    return;
  }
  let splat = splats[id.x];
  let shape = shapes[id.x];
  var by_colour = vec3f(0.0);
  var sum = 0.0;
  var first = vec2f(0.0);
  var second = vec2f(0.0);
  var mixed = 0.0;
  let start = corner(shape.bounds.x);
  let end = corner(shape.bounds.y);
  for (var y = start.y; y < end.y; y++) {
    for (var x = start.x; x < end.x; x++) {
      let from_centre = vec2f(f32(x), f32(y)) + 0.5 - shape.centre;
      let offset = vec2f(dot(shape.axes.xy, from_centre), dot(shape.axes.zw, from_centre));
      let distance = dot(offset, offset);
      if (distance < REACH * REACH) {
        let weighted = exp(-0.5 * distance) * derivatives[y * frame.size.x + x].rgb;
        let share = dot(weighted, shape.colour);
        by_colour += weighted;
        sum += share;
        first += share * offset;
        second += share * offset * offset;
        mixed += share * offset.x * offset.y;
      }
    }
  }
  let by_position = shape.axes.xy * first.x + shape.axes.zw * first.y;
  // Along the circle, which is where the direction moves.
  let ratio = exp(splat.log_scale.y - splat.log_scale.x);
  let by_angle = mixed * (1.0 / ratio - ratio);
  let at = id.x * GRADIENT_LENGTH;
  gradients[at] = shape.opacity * by_colour.r;
  gradients[at + 1u] = shape.opacity * by_colour.g;
  gradients[at + 2u] = shape.opacity * by_colour.b;
  gradients[at + 3u] = (1.0 - shape.opacity) * sum;
  gradients[at + 4u] = by_position.x;
  gradients[at + 5u] = by_position.y;
  gradients[at + 6u] = second.x;
  gradients[at + 7u] = second.y;
  gradients[at + 8u] = -splat.rotation.y * by_angle;
  gradients[at + 9u] = splat.rotation.x * by_angle;
  strains[id.x] += length(by_position);
}
