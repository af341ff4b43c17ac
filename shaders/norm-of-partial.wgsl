// The norm that a partial stands for; behind squares.wgsl.

/// The norm of a tensor's quantity from its sums: what is not finite must not meet arithmetic that may assume it is.
fn norm_of_partial(partial: vec4<u32>) -> f32 {
  let flags = partial.w;
  if ((flags & (INFINITE | NOT_A_NUMBER)) == 0u) {
    return norm_of(bitcast<vec3<f32>>(partial.xyz), 1.0);
  }
  return bitcast<f32>(select(0x7f800000u, 0x7fc00000u, (flags & NOT_A_NUMBER) != 0u));
}
