// Sums of squares and the norm that they give; for stages/control/{reduce,decide}.wgsl, stages/measure/*.wgsl and stages/norms/*.wgsl.
//
// A sum of squares overflows long before the norm does. So an invocation whose sum is not between LEAST and MOST makes it again
// of scaled numbers: by 2⁸⁴ if it is less, by 2⁻⁸⁴ if it is more, and sums of each kind are kept apart (after Blue 1978, as
// LAPACK's snrm2). Up to 2¹⁶ elements an invocation, as in all shapes that are chosen here, and 2³⁰ in all, no sum overflows, and squares that underflow, less
// than 2⁻¹²⁵ each with what their additions lose, come to less than 2⁻²⁸ of any sum that is not made again.

/// Bits of 2⁻⁸⁰ and 2⁸⁸.
const LEAST: u32 = 0x17800000u;
const MOST: u32 = 0x6b800000u;

/// Of what a sum is: large numbers, scaled down, medium ones, or small ones, scaled up.
const LARGE: u32 = 0u;
const MEDIUM: u32 = 1u;
const SMALL: u32 = 2u;

/// Flags: an infinity was seen; a NaN was; anything but zeros was; a magnitude above LARGEST was.
const INFINITE: u32 = 1u;
const NOT_A_NUMBER: u32 = 2u;
const SOME: u32 = 4u;
const EXTREME: u32 = 0x80000000u;
/// Bits of 2⁴⁴.
const LARGEST: u32 = 0x55800000u;

/// Whether the sum of a square that is no number, or too large for one, is known to be none: CPU adapters compute as IEEE 754 says.
/// WGSL lets others assume that there are no such numbers, so exponent bits of the raw words are looked at.
override PROPAGATES: bool = false;

struct Squares {
  sum: vec4<f32>,
  flags: vec4<u32>,
}

/// With the squares of four floats, given by their bits.
fn add_squares(sums: Squares, bits: vec4<u32>) -> Squares {
  let value = bitcast<vec4<f32>>(bits);
  var flags = sums.flags;
  if (!PROPAGATES) {
    flags = flags | range_of(bits & vec4<u32>(0x7fffffffu));
  }
  return Squares(sums.sum + value * value, flags);
}

/// The same, scaled as their kind is, and with all flags.
fn add_scaled_squares(sums: Squares, bits: vec4<u32>, kind: u32) -> Squares {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let infinite = vec4<u32>(0x7f800000u);
  let value = bitcast<vec4<f32>>(bits) * select(select(1.0, 0x1p84, kind == SMALL), 0x1p-84, kind == LARGE);
  // INFINITE is 1, NOT_A_NUMBER 2.
  let flags = vec4<u32>(magnitude >= infinite) + vec4<u32>(magnitude > infinite);
  return Squares(sums.sum + value * value, sums.flags | range_of(magnitude) | flags);
}

/// A difference below zero has EXTREME set.
fn range_of(magnitude: vec4<u32>) -> vec4<u32> {
  return ((LARGEST - magnitude) & vec4<u32>(EXTREME)) | (min(magnitude, vec4<u32>(1u)) * SOME);
}

/// What a sum of numbers as they are should have been of.
fn kind_of(sums: Squares) -> u32 {
  let bits = bitcast<u32>(total(sums.sum));
  let flags = any_bits(sums.flags);
  let is_large = bits > MOST || (flags & EXTREME) != 0u;
  // Zeros, as rows that got no gradient have, are not looked at twice where that is known.
  let is_small = bits < LEAST && (PROPAGATES || (flags & SOME) != 0u);
  return select(select(MEDIUM, SMALL, is_small), LARGE, is_large);
}

fn any_bits(v: vec4<u32>) -> u32 {
  return (v.x | v.y) | (v.z | v.w);
}

fn total(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
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
