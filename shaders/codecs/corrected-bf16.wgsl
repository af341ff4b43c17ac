// What rounding to bfloat16 took from a weight, in 8 bits. The bits of a float32, read as an integer, grow with it; so that is what they
// are taken from: rest = bits(w) − bits(bf16(w)), −32768 to 32768, half a unit in the last place of the bfloat16 either way.
//
//   c ← round(rest / 258)      −127 to 127
//   w ← bits(bf16(w)) + 258c   off by 129 units in the last place of a float32 at most
//
// 258 is 32768/127 or a little less, so that what is made of a weight and its correction is never in the middle between two numbers
// of bfloat16: rounded again, it is the same two.

const CORRECTION_STEP: i32 = 258;

/// The weight of a copy, by its bits as a float32, and its correction. What somebody else writes as a copy may have any correction.
fn corrected_weight(copy: vec4<u32>, correction: vec4<f32>) -> vec4<f32> {
  let infinity = vec4<i32>(0x7f800000);
  let rest = vec4<i32>(copy & vec4<u32>(0x7fffffffu));
  let exact = max(rest + CORRECTION_STEP * vec4<i32>(correction), vec4<i32>(0));
  // NaN stays NaN, and infinity is what it is.
  let own = vec4<u32>(select(exact, rest, rest >= infinity));
  return bitcast<vec4<f32>>(own | (copy & vec4<u32>(0x80000000u)));
}

fn correction_of(weight: vec4<f32>) -> vec4<f32> {
  let rest = vec4<i32>(bitcast<vec4<u32>>(weight) & vec4<u32>(0x7fffffffu));
  let copy = vec4<i32>((nearest_bf16(weight) & vec4<u32>(0x7fffu)) << vec4<u32>(16u));
  // Division cuts: what is divided is raised above 0.
  let codes = (rest - copy + CORRECTION_STEP * 128 + CORRECTION_STEP / 2) / CORRECTION_STEP - 128;
  // From the middle between the largest number and infinity on.
  return select(vec4<f32>(codes), vec4<f32>(0.0), copy >= vec4<i32>(0x7f800000));
}
