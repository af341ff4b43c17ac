// Arithmetic on 32-bit words; for control/finalize.wgsl and initialize.wgsl.

/// The full product of two words: high, low.
fn multiply_words(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross1 = (a & 0xffffu) * (b >> 16u);
  let cross2 = (a >> 16u) * (b & 0xffffu);
  let middle = (low >> 16u) + (cross1 & 0xffffu) + (cross2 & 0xffffu);
  let high = (a >> 16u) * (b >> 16u) + (cross1 >> 16u) + (cross2 >> 16u) + (middle >> 16u);
  return vec2<u32>(high, (low & 0xffffu) | (middle << 16u));
}
