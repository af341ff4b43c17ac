// Stochastic rounding: up with the probability that makes the mean right. Composed with bf16.wgsl.

fn draw_bf16(value: vec4<f32>, random: vec4<u32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let sign = bits & vec4<u32>(0x80000000u);
  let rest = bits ^ sign;
  let drawn = min((rest + (random >> vec4<u32>(16u))) >> vec4<u32>(16u), vec4<u32>(0x7f7fu));
  // What is nearer to infinity than to the largest number, and what is not finite, is as it would be without.
  let is_large = rest >= vec4<u32>(0x7f7f8000u);
  return join_halves_bf16(select((sign >> vec4<u32>(16u)) | drawn, nearest_bf16(value), is_large));
}
