// Composed with lanes.wgsl and control/tree.wgsl.
//
// First level of the gradient norm: one partial per workgroup of one stretch of a gradient.
//
// A sum of squares overflows long before the norm does, so three sums are kept (Blue 1978, as LAPACK's snrm2):
// magnitudes above 2⁴⁴ are scaled by 2⁻⁸⁴ before squaring, those below 2⁻⁴⁴ by 2⁸⁴. Up to 2³⁰ elements, no sum
// overflows, and no square that matters underflows. NaN and Inf are found by exponent bits of the raw words, since
// WGSL lets a compiler assume that floats are neither.
//
// The tree is fixed by the element count alone: equal input gives equal bits.

struct Stretch {
  /// Whole vec4s from `vector_base`; before and after them up to three single words each.
  vector_count: u32,
  vector_base: u32,
  head_count: u32,
  head_base: u32,
  tail_count: u32,
  tail_base: u32,
  partial_base: u32,
  workgroup_count: u32,
}

const LARGE: f32 = 0x1p44;
const SMALL: f32 = 0x1p-44;
const SCALE_DOWN: f32 = 0x1p-84;
const SCALE_UP: f32 = 0x1p84;

@group(0) @binding(0) var<uniform> uniform_stretch: Stretch;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> words: array<u32>;
/// Per workgroup: sums of large, medium and small squares as bits of f32, then the flags.
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<u32>>;

var<private> large: vec4<f32>;
var<private> medium: vec4<f32>;
var<private> small: vec4<f32>;
var<private> flags: vec4<u32>;

/// Bits of SMALL, and how many floats there are from SMALL to LARGE.
const SMALL_BITS: u32 = 0x29800000u;
const ORDINARY_COUNT: u32 = 0x55800000u - 0x29800000u;

fn accumulate(bits: vec4<u32>) {
  let magnitude_bits = bits & vec4<u32>(0x7fffffffu);
  let infinite = vec4<u32>(0x7f800000u);
  // 1: infinite, 2: NaN.
  flags |= select(vec4<u32>(0u), vec4<u32>(1u), magnitude_bits == infinite);
  flags |= select(vec4<u32>(0u), vec4<u32>(2u), magnitude_bits > infinite);
  let magnitude = bitcast<vec4<f32>>(magnitude_bits);
  let is_large = magnitude > vec4<f32>(LARGE);
  let is_small = magnitude < vec4<f32>(SMALL);
  let zero = vec4<f32>(0.0);
  let l = select(zero, magnitude * SCALE_DOWN, is_large);
  let m = select(magnitude, zero, is_large | is_small);
  let s = select(zero, magnitude * SCALE_UP, is_small);
  large = large + l * l;
  medium = medium + m * m;
  small = small + s * s;
}

/// What `accumulate` does, for magnitudes that are ordinary or zero; says whether they all were.
fn accumulate_ordinary(bits: vec4<u32>) -> vec4<bool> {
  let magnitude_bits = bits & vec4<u32>(0x7fffffffu);
  let magnitude = bitcast<vec4<f32>>(magnitude_bits);
  medium = medium + magnitude * magnitude;
  let is_ordinary = magnitude_bits - vec4<u32>(SMALL_BITS) <= vec4<u32>(ORDINARY_COUNT);
  return is_ordinary | (magnitude_bits == vec4<u32>(0u));
}

fn total(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let stretch = uniform_stretch;
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  let lanes = own_lanes(workgroup, local_index, stretch.vector_count);
  var are_ordinary = vec4<bool>(true);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    are_ordinary = accumulate_ordinary(vectors[stretch.vector_base + i]) & are_ordinary;
  }
  // Gradients hardly ever span eighty powers of two, so most invocations end here; the others begin again. A second
  // loop, not a branch in the first: CPU adapters run both sides of a branch.
  var careful_end = lanes.end;
  if (all(are_ordinary)) {
    careful_end = lanes.first;
  } else {
    medium = vec4<f32>(0.0);
  }
  for (var i = lanes.first; i < careful_end; i += lanes.stride) {
    accumulate(vectors[stretch.vector_base + i]);
  }
  if (workgroup == 0u && local_index == 0u) {
    for (var i = 0u; i < stretch.head_count; i++) {
      accumulate(vec4<u32>(words[stretch.head_base + i], 0u, 0u, 0u));
    }
    for (var i = 0u; i < stretch.tail_count; i++) {
      accumulate(vec4<u32>(words[stretch.tail_base + i], 0u, 0u, 0u));
    }
  }
  let sums = vec4<f32>(total(large), total(medium), total(small), 0.0);
  sum_workgroup(local_index, sums, flags.x | flags.y | flags.z | flags.w);
  if (local_index == 0u && workgroup < stretch.workgroup_count) {
    let totals = bitcast<vec3<u32>>(shared_sums[0].xyz);
    partials[stretch.partial_base + workgroup] = vec4<u32>(totals, shared_flags[0]);
  }
}
