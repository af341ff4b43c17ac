// bfloat16 is the first half of a float32. Two share a word, the first one in its low half.

/// The four numbers of two words.
fn unpack_bf16(words: vec2<u32>) -> vec4<f32> {
  let high = 0xffff0000u;
  return bitcast<vec4<f32>>(vec4<u32>(words.x << 16u, words.x & high, words.y << 16u, words.y & high));
}

/// Rounds to the nearest, of two that are equally near to the even one; NaN stays NaN.
fn pack_bf16(value: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let is_odd = (bits >> vec4<u32>(16u)) & vec4<u32>(1u);
  let rounded = bits + vec4<u32>(0x7fffu) + is_odd;
  let is_nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
  let halves = select(rounded, bits | vec4<u32>(0x400000u), is_nan) >> vec4<u32>(16u);
  return vec2<u32>(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}
