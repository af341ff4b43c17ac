// t^c for a count t ≥ 1 and c in [−1, 0], from additions, products and one division: how exact `pow` is, WGSL leaves open.
//
//   t = m·2^e, m in [0.7, 1.4);   t^c = exp(c·ln m)·(2^c)^e

/// @param of_two 2^c.
fn power_of_count(t: f32, exponent: f32, of_two: f32) -> f32 {
  let bits = bitcast<u32>(t);
  var doublings = (bits >> 23u) - 127u;
  var mantissa = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  if (mantissa >= 1.4) {
    mantissa = 0.5 * mantissa;
    doublings += 1u;
  }
  // ln m = 2·artanh((m−1)/(m+1)); what is left out of it is less than 1e-8 of it.
  let x = (mantissa - 1.0) / (mantissa + 1.0);
  let square = x * x;
  var series = square * (1.0 / 9.0) + 1.0 / 7.0;
  series = series * square + 1.0 / 5.0;
  series = series * square + 1.0 / 3.0;
  series = series * square + 1.0;
  let z = exponent * (2.0 * x * series);
  // exp z, |z| < 0.36.
  var power = z * (1.0 / 5040.0) + 1.0 / 720.0;
  power = power * z + 1.0 / 120.0;
  power = power * z + 1.0 / 24.0;
  power = power * z + 1.0 / 6.0;
  power = power * z + 0.5;
  power = power * z + 1.0;
  power = power * z + 1.0;
  for (var k = 0u; k < doublings; k++) {
    power = power * of_two;
  }
  return power;
}
