// IEEE half precision by its bits: what WGSL's own functions make of a number that lies between two halves, or beyond the
// largest, is not the same everywhere. Two share a word, the first one in its low half.

/// The four numbers of two words, as the bits of float32.
fn bits_of_f16(words: vec2<u32>) -> vec4<u32> {
  let halves = vec4<u32>(words.x, words.x >> 16u, words.y, words.y >> 16u) & vec4<u32>(0xffffu);
  let sign = (halves & vec4<u32>(0x8000u)) << vec4<u32>(16u);
  let rest = halves & vec4<u32>(0x7fffu);
  // The exponent's bias is another; that of Inf and NaN is as large as can be.
  let bias = select(vec4<u32>(0x38000000u), vec4<u32>(0x70000000u), rest >= vec4<u32>(0x7c00u));
  let normal = (rest << vec4<u32>(13u)) + bias;
  // Below 2⁻¹⁴ they are multiples of 2⁻²⁴, all of which are normal as float32.
  let small = bitcast<vec4<u32>>(vec4<f32>(rest) * 0x1p-24);
  return sign | select(normal, small, rest < vec4<u32>(0x400u));
}

/// The four numbers of two words.
fn unpack_f16(words: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bits_of_f16(words));
}

fn join_halves_f16(halves: vec4<u32>) -> vec2<u32> {
  return vec2<u32>(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}

/// Rounds to the nearest, of two that are equally near to the even one; NaN stays NaN.
fn nearest_f16(value: vec4<f32>) -> vec4<u32> {
  let one = vec4<u32>(1u);
  let bits = bitcast<vec4<u32>>(value);
  let rest = bits & vec4<u32>(0x7fffffffu);
  // Below 2⁻¹⁴ the bits that are left are fewer: those of multiples of 2⁻²⁴.
  let is_small = rest < vec4<u32>(0x38800000u);
  let shift = min(vec4<u32>(126u) - min(rest >> vec4<u32>(23u), vec4<u32>(113u)), vec4<u32>(25u));
  let digits = select(rest - vec4<u32>(0x38000000u), (rest & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u), is_small);
  let dropped = select(vec4<u32>(13u), shift, is_small);
  let half = (one << (dropped - one)) - one;
  var halves = (digits + half + ((digits >> dropped) & one)) >> dropped;
  // From the middle between the largest number and the next one on.
  halves = select(halves, vec4<u32>(0x7c00u), rest >= vec4<u32>(0x477ff000u));
  let nan = vec4<u32>(0x7e00u) | ((rest >> vec4<u32>(13u)) & vec4<u32>(0x3ffu));
  return select(halves, nan, rest > vec4<u32>(0x7f800000u)) | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
}

fn pack_f16(value: vec4<f32>) -> vec2<u32> {
  return join_halves_f16(nearest_f16(value));
}
