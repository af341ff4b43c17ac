// Composed with words.wgsl and philox.wgsl, and, for the codec of what is filled, with `data` and store_data(at, lane).
//
// Random initial weights. Element i of a tensor depends on the seed, the tensor's stream and i alone, so it is the same
// on every device, whatever else the arena holds and however invocations share the work.
//
// Generator: philox.wgsl, key = seed (low, high), counter = (i / 4, 0, stream low, stream high); word i % 4 of its output
// makes element i.
//
// Uniform: u = (word / 2⁹ + ½) / 2²³, the middles of 2²³ equal parts of (0, 1); exact in float32. Element: a + (b − a)u.
// Normal: the inverse distribution function −√2·erfinv(1 − 2p), Giles 2010, "Approximating the erfinv function", table 5,
// at p = low + (high − low)u. Where that range is symmetric, p stays below ½ and the word's lowest bit is the sign, so
// both tails are as fine: they reach to 5.4 standard deviations. WGSL's `log` may be coarse, so it is computed here.

struct Fill {
  element_count: u32,
  kind: u32,
  key: vec2<u32>,
  stream: vec2<u32>,
  /// Scale and shift of the result.
  scale: f32,
  shift: f32,
  /// Range of p, and of the result.
  p_low: f32,
  p_high: f32,
  least: f32,
  greatest: f32,
}

const CONSTANT: u32 = 0u;
const UNIFORM: u32 = 1u;
const NORMAL: u32 = 2u;
const SYMMETRIC_NORMAL: u32 = 3u;

const WORKGROUP_SIZE: u32 = 64u;

@group(0) @binding(0) var<uniform> uniform_fill: Fill;

/// −ln x for a normal x in (0, 1], by its exponent and the series of the area hyperbolic tangent; within 3 ULP or 3e-7.
fn negative_log(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  // So that the fraction lies in [√½, √2).
  let shifted = bits - 0x3f3504f3u;
  let exponent = bitcast<i32>(shifted) >> 23u;
  let fraction = bitcast<f32>((shifted & 0x7fffffu) + 0x3f3504f3u);
  let s = (fraction - 1.0) / (fraction + 1.0);
  let z = s * s;
  let series = 2.0 + z * (0.66666667 + z * (0.4 + z * (0.28571429 + z * 0.22222222)));
  return -(f32(exponent) * 0.69314718 + s * series);
}

/// The normal distribution's value below which lies p, for p in (0, 1).
fn normal_quantile(p: f32) -> f32 {
  var w = negative_log(4.0 * p * (1.0 - p));
  var y: f32;
  if (w < 5.0) {
    w = w - 2.5;
    y = 2.81022636e-08;
    y = 3.43273939e-07 + y * w;
    y = -3.5233877e-06 + y * w;
    y = -4.39150654e-06 + y * w;
    y = 0.00021858087 + y * w;
    y = -0.00125372503 + y * w;
    y = -0.00417768164 + y * w;
    y = 0.246640727 + y * w;
    y = 1.50140941 + y * w;
  } else {
    w = sqrt(w) - 3.0;
    y = -0.000200214257;
    y = 0.000100950558 + y * w;
    y = 0.00134934322 + y * w;
    y = -0.00367342844 + y * w;
    y = 0.00573950773 + y * w;
    y = -0.0076224613 + y * w;
    y = 0.00943887047 + y * w;
    y = 1.00167406 + y * w;
    y = 2.83297682 + y * w;
  }
  return 1.41421356 * y * (2.0 * p - 1.0);
}

fn element(word: u32, fill: Fill) -> f32 {
  let u = (f32(word >> 9u) + 0.5) * 0x1p-23;
  if (fill.kind == UNIFORM) {
    return fill.shift + fill.scale * u;
  }
  var z = normal_quantile(fill.p_low + (fill.p_high - fill.p_low) * u);
  if (fill.kind == SYMMETRIC_NORMAL && (word & 1u) == 1u) {
    z = -z;
  }
  return clamp(fill.shift + fill.scale * z, fill.least, fill.greatest);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn initialize(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
) {
  let fill = uniform_fill;
  let block_count = (fill.element_count + 3u) / 4u;
  for (var block = id.x; block < block_count; block += workgroup_count.x * WORKGROUP_SIZE) {
    var lane = vec4<f32>(fill.shift);
    if (fill.kind != CONSTANT) {
      let words = philox(vec4<u32>(block, 0u, fill.stream), fill.key);
      for (var k = 0u; k < 4u; k++) {
        lane[k] = element(words[k], fill);
      }
    }
    store_data(Place(block, 4u * block, min(fill.element_count - 4u * block, 4u)), lane);
  }
}
