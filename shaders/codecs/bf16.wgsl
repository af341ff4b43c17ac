// bfloat16 is the first half of a float32. Two share a word, the first one in its low half.

/// The four numbers of two words, as the bits of float32.
fn bits_of_bf16(words: vec2<u32>) -> vec4<u32> {
  let high = 0xffff0000u;
  return vec4<u32>(words.x << 16u, words.x & high, words.y << 16u, words.y & high);
}

/// The four numbers of two words.
fn unpack_bf16(words: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bits_of_bf16(words));
}

fn join_halves_bf16(halves: vec4<u32>) -> vec2<u32> {
  return vec2<u32>(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}

/// Rounds to the nearest, of two that are equally near to the even one; NaN stays NaN.
fn nearest_bf16(value: vec4<f32>) -> vec4<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let is_odd = (bits >> vec4<u32>(16u)) & vec4<u32>(1u);
  let rounded = bits + vec4<u32>(0x7fffu) + is_odd;
  let is_nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
  return select(rounded, bits | vec4<u32>(0x400000u), is_nan) >> vec4<u32>(16u);
}

fn pack_bf16(value: vec4<f32>) -> vec2<u32> {
  return join_halves_bf16(nearest_bf16(value));
}
