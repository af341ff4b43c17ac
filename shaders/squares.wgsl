// Sums of squares and the norm that they give; for stages/control/{reduce,decide}.wgsl and stages/measure/*.wgsl.
//
// A sum of squares overflows long before the norm does, so three sums are kept (Blue 1978, as LAPACK's snrm2):
// magnitudes above 2⁴⁴ are scaled by 2⁻⁸⁴ before squaring, those below 2⁻⁴⁴ by 2⁸⁴. Up to 2³⁰ elements, no sum
// overflows, and no square that matters underflows. NaN and Inf are found by exponent bits of the raw words, since
// WGSL lets a compiler assume that floats are neither.

const LARGE: f32 = 0x1p44;
const SMALL: f32 = 0x1p-44;
const SCALE_DOWN: f32 = 0x1p-84;
const SCALE_UP: f32 = 0x1p84;

/// Bits of them.
const LARGE_BITS: u32 = 0x55800000u;
const SMALL_BITS: u32 = 0x29800000u;

/// Flags: an infinity was seen; a NaN was; a magnitude was that `add_ordinary_squares` cannot add.
const INFINITE: u32 = 1u;
const NOT_A_NUMBER: u32 = 2u;
const EXTREME: u32 = 0x80000000u;

struct Squares {
  large: vec4<f32>,
  medium: vec4<f32>,
  small: vec4<f32>,
  /// Of all four: a CPU has too few registers for them one by one.
  flags: u32,
}

/// With the squares of four floats, given by their bits.
fn add_squares(sums: Squares, bits: vec4<u32>) -> Squares {
  let magnitude_bits = bits & vec4<u32>(0x7fffffffu);
  let infinite = vec4<u32>(0x7f800000u);
  let flags =
    select(vec4<u32>(0u), vec4<u32>(INFINITE), magnitude_bits == infinite) |
    select(vec4<u32>(0u), vec4<u32>(NOT_A_NUMBER), magnitude_bits > infinite);
  let magnitude = bitcast<vec4<f32>>(magnitude_bits);
  let is_large = magnitude > vec4<f32>(LARGE);
  let is_small = magnitude < vec4<f32>(SMALL);
  let zero = vec4<f32>(0.0);
  let l = select(zero, magnitude * SCALE_DOWN, is_large);
  let m = select(magnitude, zero, is_large | is_small);
  let s = select(zero, magnitude * SCALE_UP, is_small);
  return Squares(sums.large + l * l, sums.medium + m * m, sums.small + s * s, sums.flags | any_bits(flags));
}

/// What `add_squares` does, for magnitudes that are ordinary or zero; flags the others, and then the sums are void.
fn add_ordinary_squares(sums: Squares, bits: vec4<u32>) -> Squares {
  let magnitude_bits = bits & vec4<u32>(0x7fffffffu);
  let magnitude = bitcast<vec4<f32>>(magnitude_bits);
  // Differences are below zero, and so have EXTREME set, where bits are less than those of SMALL, but not zero, or more than those of LARGE.
  let is_small = (magnitude_bits - SMALL_BITS) & (vec4<u32>(0u) - magnitude_bits);
  let is_large = LARGE_BITS - magnitude_bits;
  let flags = any_bits(is_small | is_large) & EXTREME;
  return Squares(sums.large, sums.medium + magnitude * magnitude, sums.small, sums.flags | flags);
}

fn any_bits(v: vec4<u32>) -> u32 {
  return (v.x | v.y) | (v.z | v.w);
}

fn total(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

/// Large, medium and small squares.
fn totals(sums: Squares) -> vec3<f32> {
  return vec3<f32>(total(sums.large), total(sums.medium), total(sums.small));
}

/// x · 2ᵉ for x ≥ 0, by its exponent bits: a product of powers of two may be reassociated, and overflow on the way.
fn scale_by_power(x: f32, e: i32) -> f32 {
  let bits = bitcast<u32>(x);
  let exponent = i32(bits >> 23u);
  let scaled = exponent + e;
  if (exponent == 0 || scaled <= 0) {
    return 0.0;
  }
  var result = 0x7f800000u;
  if (scaled < 255) {
    result = (u32(scaled) << 23u) | (bits & 0x7fffffu);
  }
  return bitcast<f32>(result);
}

/// `factor` times the norm, from the sums of large, medium and small squares of finite numbers.
fn norm_of(sums: vec3<f32>, factor: f32) -> f32 {
  if (sums.x > 0.0) {
    return scale_by_power(sqrt(sums.x + scale_by_power(sums.y, -168)) * factor, 84);
  }
  if (sums.y > 0.0) {
    return sqrt(sums.y + scale_by_power(sums.z, -168)) * factor;
  }
  return scale_by_power(sqrt(sums.z) * factor, -84);
}
