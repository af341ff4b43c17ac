// Numbers in blocks of 64: a code of a few bits each, and one scale for all, the largest magnitude of the block. It is a whole
// float32: in half the bits it would take steps of its own, and a block of 32 with such a scale would take as many bytes. So the
// largest element is kept as it is, and codes that are read and written again, without a step in between, stay what they are.
//
// x = value / scale; the code of the largest is N, which is 127 or 7 with a sign, and 255 or 15 without one.
//   with a sign, of 8 bits:  q ← round(N · √|x|) with the sign of x;   x ← (q/N)² with the sign of q
//   with a sign, of 4 bits:  q ← round(N · 2x/(1+|x|));                x ← q/(2N−|q|)
//   without one, of 4 bits:  q ← round(N · √x);                        x ← (q/N)²
//   without one, of 8 bits:  q ← round(N · ⁴√x);                       x ← (q/N)⁴
// So codes are finer near 0, where most are. Without a sign, what is above 0 has a code above 0: it may be a divisor.
//
// A block of numbers below the least scale is one of zeros: so what is loaded is never subnormal. One with a NaN or an infinity is one of NaN.

const INFINITY_BITS: u32 = 0x7f800000u;

/// The scale of a block, from the bits of its largest magnitudes, and of the least scale.
fn block_scale(largest: vec4<u32>, least: u32) -> u32 {
  let bits = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let finite = select(0u, bits, bits >= least);
  return select(finite, bits | 0x400000u, bits >= INFINITY_BITS);
}

/// Whether the scale says all: of zeros, and of NaN.
fn block_is_flat(scale: u32) -> bool {
  return scale == 0u || scale >= INFINITY_BITS;
}

/// Codes in two's complement.
fn block_signed_codes(value: lane, scale: f32, most: f32) -> vec4<u32> {
  let codes = vec4<u32>(sqrt(abs(value / scale)) * most + 0.5);
  return select(codes, vec4<u32>(0u) - codes, value < lane(0.0));
}

fn block_companded_codes(value: lane, scale: f32, most: f32) -> vec4<u32> {
  let x = value / scale;
  // Conversion cuts: what is to be rounded is raised by a half, and above 0.
  return vec4<u32>((2.0 * most) * x / (1.0 + abs(x)) + (most + 1.5)) - vec4<u32>(u32(most) + 1u);
}

/// Of shares of the largest, which are 0 where the number is not above 0.
fn block_positive_shares(value: lane, scale: f32) -> lane {
  return select(lane(0.0), value / scale, value > lane(0.0));
}

fn block_positive_codes(value: lane, root: lane, most: f32) -> vec4<u32> {
  return max(vec4<u32>(root * most + 0.5), select(vec4<u32>(0u), vec4<u32>(1u), value > lane(0.0)));
}

fn block_square_codes(value: lane, scale: f32, most: f32) -> vec4<u32> {
  return block_positive_codes(value, sqrt(block_positive_shares(value, scale)), most);
}

fn block_fourth_codes(value: lane, scale: f32, most: f32) -> vec4<u32> {
  return block_positive_codes(value, sqrt(sqrt(block_positive_shares(value, scale))), most);
}

fn block_pack(codes: vec4<u32>, bits: u32) -> u32 {
  let own = (codes & vec4<u32>((1u << bits) - 1u)) << (vec4<u32>(0u, 1u, 2u, 3u) * bits);
  return (own.x | own.y) | (own.z | own.w);
}

/// Each code at the high end of a word.
fn block_unpack(word: u32, bits: u32) -> vec4<u32> {
  return vec4<u32>(word) << (vec4<u32>(32u) - vec4<u32>(1u, 2u, 3u, 4u) * bits);
}

fn block_signed(word: u32, bits: u32) -> lane {
  return vec4<f32>(vec4<i32>(block_unpack(word, bits)) >> vec4<u32>(32u - bits));
}

/// `step` is 1/N: what divides by a constant may be compiled to a product, and that is what it is on every adapter so.
fn block_positive_roots(word: u32, bits: u32, step: f32) -> lane {
  return vec4<f32>(block_unpack(word, bits) >> vec4<u32>(32u - bits)) * step;
}

fn block_signed_values(word: u32, scale: u32, bits: u32, step: f32) -> lane {
  let root = block_signed(word, bits) * step;
  return bitcast<f32>(scale) * (root * abs(root));
}

fn block_companded_values(word: u32, scale: u32, bits: u32, most: f32) -> lane {
  let q = block_signed(word, bits);
  return bitcast<f32>(scale) * (q / (2.0 * most - abs(q)));
}

fn block_square_values(word: u32, scale: u32, bits: u32, step: f32) -> lane {
  let root = block_positive_roots(word, bits, step);
  return bitcast<f32>(scale) * (root * root);
}

fn block_fourth_values(word: u32, scale: u32, bits: u32, step: f32) -> lane {
  let root = block_positive_roots(word, bits, step);
  let square = root * root;
  return bitcast<f32>(scale) * (square * square);
}
