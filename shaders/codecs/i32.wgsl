// Fixed point: integers that stand for multiples of a step. What a conversion makes of an integer of more than 24 bits is not the same
// everywhere, but its halves are exact, and their sum is rounded once.

fn float_of_i32(words: vec4<i32>) -> vec4<f32> {
  return vec4<f32>(words >> vec4<u32>(16u)) * 65536.0 + vec4<f32>(words & vec4<i32>(0xffff));
}

/// The nearest integer; of what there is none for, the largest there is as a float32.
fn i32_of_float(value: vec4<f32>) -> vec4<i32> {
  return vec4<i32>(clamp(round(value), vec4<f32>(-2147483648.0), vec4<f32>(2147483520.0)));
}
