// Composed with generated declarations (src/stages/control/compose-control.ts) and words.wgsl.
//
// What a decision means for each tensor: its count of steps and its bias corrections, one invocation per tensor. One
// tensor of each row says it to the row, which the kernels that follow read.
//
//   βᵗ ← βᵗ·β, kept as a 64-bit fixed-point fraction: integers are exact on every adapter, whatever its compiler
//   reassociates. After 2²⁴ steps the error is below 2⁻⁴⁰, far under a float32 ULP of 1 − βᵗ.
//   For a rate that rises, βᵢ = β(1 − ½dⁱ), the product β₁β₂⋯βₜ takes the place of βᵗ (Dozat 2016).
//   Where β or d is another one than at the tensor's step before, the product is made anew, as if it had been so from the
//   first step on: 1 − βᵗ with the β in force, as PyTorch.

@group(0) @binding(0) var<storage, read> head: Head;
/// Per tensor, the row that it is stepped with, and SPEAKS if it speaks for it; NO_ROW for one that is gone.
@group(0) @binding(1) var<storage, read> rows: array<u32>;
/// Per tensor RECORD_WORDS words: its count; then per correction eight, from the fourth on: the product of the rates so
/// far, dᵗ, and the β and the d that they are of, each as high and low word of a fraction.
@group(0) @binding(2) var<storage, read_write> records: array<u32>;

/// The product of two 64-bit fractions (high, low), rounded to 64 bits.
fn multiply_fractions(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let ll = multiply_words(a.y, b.y);
  let lh = multiply_words(a.y, b.x);
  let hl = multiply_words(a.x, b.y);
  let hh = multiply_words(a.x, b.x);
  var below = ll.x + lh.y;
  var carry = u32(below < lh.y);
  below += hl.y;
  carry += u32(below < hl.y);
  var low = lh.x + hl.x;
  var high = hh.x + u32(low < hl.x);
  low += hh.y;
  high += u32(low < hh.y);
  carry += below >> 31u;
  low += carry;
  high += u32(low < carry);
  return vec2<u32>(high, low);
}

/// The rate of a step, β(1 − ½dᵗ), from β and dᵗ.
fn risen_rate(beta: vec2<u32>, damped: vec2<u32>) -> vec2<u32> {
  let half = vec2<u32>(damped.x >> 1u, (damped.x << 31u) | (damped.y >> 1u));
  let missing = multiply_fractions(beta, half);
  return vec2<u32>(beta.x - missing.x - u32(beta.y < missing.y), beta.y - missing.y);
}

/// A fraction of a record or of a slot's rates.
fn record_fraction(word: u32) -> vec2<u32> {
  return vec2<u32>(records[word], records[word + 1u]);
}

fn rate_fraction(word: u32) -> vec2<u32> {
  return vec2<u32>(slot.words[word], slot.words[word + 1u]);
}

fn keep_fraction(word: u32, fraction: vec2<u32>) {
  records[word] = fraction.x;
  records[word + 1u] = fraction.y;
}

/// xⁿ for n ≥ 1, by squaring.
fn power_of(x: vec2<u32>, n: u32) -> vec2<u32> {
  var square = x;
  var rest = n;
  while ((rest & 1u) == 0u) {
    square = multiply_fractions(square, square);
    rest >>= 1u;
  }
  var result = square;
  for (rest >>= 1u; rest > 0u; rest >>= 1u) {
    square = multiply_fractions(square, square);
    if ((rest & 1u) == 1u) {
      result = multiply_fractions(result, square);
    }
  }
  return result;
}

/// Whether a fraction is more than 2⁻⁴⁸, which a float32 of 1 minus it cannot show.
fn is_something(fraction: vec2<u32>) -> bool {
  return fraction.x > 0u || fraction.y > 0x10000u;
}

/// β₁β₂⋯βₜ of a rate that rises, multiplied out until nothing is left of it or of dⁱ: some thousand factors at most.
fn risen_product(beta: vec2<u32>, damping: vec2<u32>, t: u32) -> vec2<u32> {
  var damped = damping;
  var product = risen_rate(beta, damped);
  var i = 1u;
  while (i < t && is_something(product) && is_something(damped)) {
    damped = multiply_fractions(damped, damping);
    product = multiply_fractions(product, risen_rate(beta, damped));
    i++;
  }
  if (i < t) {
    product = multiply_fractions(product, power_of(beta, t - i));
  }
  return product;
}

/// Takes a correction to step t with the rates in force, and returns its bits.
fn advance_correction(record_word: u32, rate_word: u32, t: u32) -> u32 {
  let beta = rate_fraction(rate_word);
  let damping = rate_fraction(rate_word + 2u);
  let rises = any(damping != vec2<u32>(0u));
  let goes_on = t > 1u && all(record_fraction(record_word + 4u) == beta)
    && all(record_fraction(record_word + 6u) == damping);
  var product: vec2<u32>;
  if (goes_on) {
    var rate = beta;
    if (rises) {
      let damped = multiply_fractions(record_fraction(record_word + 2u), damping);
      keep_fraction(record_word + 2u, damped);
      rate = risen_rate(beta, damped);
    }
    product = multiply_fractions(record_fraction(record_word), rate);
  } else {
    keep_fraction(record_word + 4u, beta);
    keep_fraction(record_word + 6u, damping);
    if (rises) {
      keep_fraction(record_word + 2u, power_of(damping, t));
      product = risen_product(beta, damping, t);
    } else {
      product = power_of(beta, t);
    }
  }
  keep_fraction(record_word, product);
  return one_minus(product);
}

/// Bits of the float32 nearest to 1 − p, for a 64-bit fraction p.
fn one_minus(p: vec2<u32>) -> u32 {
  if (p.x == 0u && p.y == 0u) {
    return 0x3f800000u;
  }
  let low = ~p.y + 1u;
  var q = vec2<u32>(~p.x + u32(low == 0u), low);
  var leading_zeros = countLeadingZeros(q.x);
  if (q.x == 0u) {
    leading_zeros = 32u + countLeadingZeros(q.y);
    q = vec2<u32>(q.y, 0u);
  }
  let shift = leading_zeros & 31u;
  if (shift > 0u) {
    q = vec2<u32>((q.x << shift) | (q.y >> (32u - shift)), q.y << shift);
  }
  let mantissa = q.x >> 8u;
  let rest = q.x & 0xffu;
  let above_half = rest > 0x80u || (rest == 0x80u && (q.y != 0u || (mantissa & 1u) == 1u));
  return ((126u - leading_zeros) << 23u) + (mantissa & 0x7fffffu) + u32(above_half);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn advance(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = (workgroup_id.y * workgroup_count.x + workgroup_id.x) * WORKGROUP_SIZE + local_index;
  if (index >= arrayLength(&rows) || rows[index] == NO_ROW) {
    return;
  }
  let row = rows[index] & ~SPEAKS;
  let speaks = (rows[index] & SPEAKS) != 0u;
  let row_word = (row / ROWS_PER_PAGE) * PAGE_WORDS + (row % ROWS_PER_PAGE) * ROW_WORDS;
  // Where the step is skipped, nobody reads what is written here.
  if (head.was_skipped != 0u) {
    if (speaks) {
      slot.words[row_word + IS_ACTIVE] = 0u;
    }
    return;
  }
  if (slot.words[row_word + IS_ACTIVE] == 0u) {
    return;
  }
  let record = index * RECORD_WORDS;
  let t = records[record] + 1u;
  records[record] = t;
  if (speaks) {
    slot.words[row_word + T_COUNT] = t;
    slot.words[row_word + T] = bitcast<u32>(f32(t));
    slot.words[row_word + GRAD_MULTIPLIER] = slot.settings.multiplier;
  }
  for (var k = 0u; k < CORRECTION_COUNT; k++) {
    let rate_word = slot.settings.first_rate + 4u * (row * CORRECTION_COUNT + k);
    let bits = advance_correction(record + 4u + 8u * k, rate_word, t);
    if (speaks) {
      slot.words[row_word + FIRST_CORRECTION + k] = bits;
    }
  }
}
