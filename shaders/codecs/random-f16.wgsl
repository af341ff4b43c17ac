// Stochastic rounding: up with the probability that makes the mean right. Composed with f16.wgsl.

fn draw_f16(value: vec4<f32>, random: vec4<u32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let rest = bits & vec4<u32>(0x7fffffffu);
  let is_small = rest < vec4<u32>(0x38800000u);
  // As in nearest_f16(); more than 31 bits that are dropped are dropped in two steps.
  let shift = vec4<u32>(126u) - min(rest >> vec4<u32>(23u), vec4<u32>(113u));
  let dropped = select(vec4<u32>(13u), min(shift, vec4<u32>(31u)), is_small);
  let whole = (rest & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
  let small = whole >> min(shift - min(shift, vec4<u32>(31u)), vec4<u32>(31u));
  let digits = select(rest - vec4<u32>(0x38000000u), small, is_small);
  let drawn = min((digits + (random >> (vec4<u32>(32u) - dropped))) >> dropped, vec4<u32>(0x7bffu));
  let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
  // What is nearer to infinity than to the largest number, and what is not finite, is as it would be without.
  return join_halves_f16(select(sign | drawn, nearest_f16(value), rest >= vec4<u32>(0x477ff000u)));
}
