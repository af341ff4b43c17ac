// Composed with squares.wgsl, tree.wgsl and words.wgsl.
//
// Second level of the gradient norm, and everything that a step decides from it, in one workgroup: non-finite or
// not, norm, clip factor, skip or not, step count, bias corrections, loss scale.
//
//   norm = ‖unscale · g‖₂ over all gradients     unscale = grad_scale / loss_scale
//   clip = min(1, max_grad_norm / (norm + 1e-6))           torch.nn.utils.clip_grad_norm_
//   βᵗ ← βᵗ·β, kept as a 64-bit fixed-point fraction: integers are exact on every adapter, whatever its compiler
//   reassociates. After 2²⁴ steps the error is below 2⁻⁴⁰, far under a float32 ULP of 1 − βᵗ.
//   For a rate that rises, βᵢ = β(1 − ½dⁱ), the product β₁β₂⋯βₜ takes the place of βᵗ (Dozat 2016).
//   loss_scale ← loss_scale · backoff on a non-finite gradient, · growth after `growth_interval` finite steps
//                                                          torch.amp.GradScaler

struct Settings {
  partial_count: u32,
  group_count: u32,
  /// Words from one group's output to the next.
  group_stride: u32,
  /// Bias corrections per group.
  correction_count: u32,
  max_consecutive_skips: u32,
  growth_interval: u32,
  max_grad_norm: f32,
  grad_scale: f32,
  growth_factor: f32,
  backoff_factor: f32,
}

override CLIP: bool = false;
override SKIP: bool = false;
override DYNAMIC: bool = false;

const WORKGROUP_SIZE: u32 = 256u;

/// `powers` holds per group and correction two vectors of fractions, each as high and low word: β and the product of the
/// rates so far; d and dᵗ. Then per group, in .x, the step at which it joined: a group's t counts from there.
struct State {
  step: u32,
  skipped: u32,
  consecutive_skips: u32,
  growth_tracker: u32,
  loss_scale: f32,
  grad_norm: u32,
  clip_factor: u32,
  was_skipped: u32,
  powers: array<vec4<u32>>,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> state: State;
/// Per group: skip, gradient multiplier, t, corrections.
@group(0) @binding(2) var<storage, read_write> groups: array<u32>;
/// What the caller's backward pass multiplies its loss with.
@group(0) @binding(3) var<storage, read_write> loss_scale: array<f32>;
@group(1) @binding(0) var<uniform> settings: Settings;

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

/// Takes the correction at an index of `powers` to step t, and returns its bits.
fn advance_correction(index: u32, t: u32) -> u32 {
  let beta = state.powers[index].xy;
  let damping = state.powers[index + 1u].xy;
  var rate = beta;
  if (any(damping != vec2<u32>(0u))) {
    var damped = damping;
    if (t > 1u) {
      damped = multiply_fractions(state.powers[index + 1u].zw, damping);
    }
    state.powers[index + 1u] = vec4<u32>(damping, damped);
    rate = risen_rate(beta, damped);
  }
  var product = rate;
  if (t > 1u) {
    product = multiply_fractions(state.powers[index].zw, rate);
  }
  state.powers[index] = vec4<u32>(beta, product);
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

fn adjust_loss_scale(is_finite: bool) {
  if (!is_finite) {
    state.loss_scale *= settings.backoff_factor;
    state.growth_tracker = 0u;
    return;
  }
  state.growth_tracker += 1u;
  if (state.growth_tracker >= settings.growth_interval) {
    state.growth_tracker = 0u;
    // A scale past the range of float32 would make every gradient infinite.
    if (state.loss_scale <= 0x1p127 / settings.growth_factor) {
      state.loss_scale *= settings.growth_factor;
    }
  }
}

fn decide(sums: vec4<f32>, flags: u32) {
  let is_finite = flags == 0u;
  let unscale = settings.grad_scale / state.loss_scale;
  var multiplier = bitcast<u32>(unscale);
  state.clip_factor = 0x3f800000u;
  if (is_finite) {
    let norm = norm_of(sums, unscale);
    state.grad_norm = bitcast<u32>(norm);
    if (CLIP) {
      let factor = min(1.0, settings.max_grad_norm / (norm + 1e-6));
      state.clip_factor = bitcast<u32>(factor);
      multiplier = bitcast<u32>(unscale * factor);
    }
  } else {
    state.grad_norm = select(0x7f800000u, 0x7fc00000u, (flags & 2u) != 0u);
    if (CLIP) {
      // max/∞ is 0 and max/NaN is NaN.
      state.clip_factor = select(0u, 0x7fc00000u, (flags & 2u) != 0u);
      multiplier = state.clip_factor;
    }
  }
  let skip = SKIP && !is_finite && state.consecutive_skips < settings.max_consecutive_skips;
  if (DYNAMIC) {
    adjust_loss_scale(is_finite);
    loss_scale[0] = state.loss_scale;
  }
  state.was_skipped = u32(skip);
  if (skip) {
    state.skipped += 1u;
    state.consecutive_skips += 1u;
    for (var g = 0u; g < settings.group_count; g++) {
      groups[g * settings.group_stride] = 1u;
    }
    return;
  }
  state.consecutive_skips = select(state.consecutive_skips, 0u, is_finite);
  state.step += 1u;
  for (var g = 0u; g < settings.group_count; g++) {
    let base = g * settings.group_stride;
    groups[base] = 0u;
    groups[base + 1u] = multiplier;
    let t = state.step - state.powers[2u * settings.group_count * settings.correction_count + g].x;
    groups[base + 2u] = bitcast<u32>(f32(t));
    for (var k = 0u; k < settings.correction_count; k++) {
      groups[base + 3u + k] = advance_correction(2u * (g * settings.correction_count + k), t);
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize(@builtin(local_invocation_index) local_index: u32) {
  var sums = vec4<f32>(0.0);
  var flags = 0u;
  for (var i = local_index; i < settings.partial_count; i += WORKGROUP_SIZE) {
    let partial = partials[i];
    sums = sums + sums_of_partial(partial);
    flags |= partial.w;
  }
  sum_workgroup(local_index, sums, flags);
  if (local_index == 0u) {
    decide(shared_sums[0], shared_flags[0]);
  }
}
