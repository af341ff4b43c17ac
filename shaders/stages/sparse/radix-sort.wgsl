// Composed with entries.wgsl.
//
// One digit of a stable radix sort of pairs (row, position) by row, least significant digit first (Knuth, TAOCP 3,
// section 5.2.5): `count`, `scan`, `scatter`. An invocation has its own neighbouring pairs and its own counters and
// goes through them one by one, so nothing is atomic, and pairs with equal digits keep their order: the result is the
// same on every run and device.

/// Few invocations with many pairs each, and few digits: every one has a counter per digit to clear and to add up, and SwiftShader
/// compiles a store for each word of workgroup memory.
const WORKGROUP_SIZE: u32 = 32u;
const PAIRS_PER_INVOCATION: u32 = 32u;
const PAIRS_PER_BLOCK: u32 = PAIRS_PER_INVOCATION * WORKGROUP_SIZE;
const DIGIT_BITS: u32 = 4u;
const DIGIT_COUNT: u32 = 16u;
/// Counters that a workgroup of `scan` adds up.
const COUNTERS_PER_INVOCATION: u32 = 32u;
const COUNTERS_PER_PART: u32 = COUNTERS_PER_INVOCATION * WORKGROUP_SIZE;

@group(0) @binding(2) var<storage, read> source: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec2<u32>>;
/// Per part of what follows, how many pairs. Behind these, per digit and block, how many pairs; after `scan`, how many pairs of its part
/// come before these.
@group(0) @binding(4) var<storage, read_write> histogram: array<u32>;

/// Per invocation and digit.
var<workgroup> counters: array<u32, WORKGROUP_SIZE * DIGIT_COUNT>;
var<workgroup> sums: array<u32, WORKGROUP_SIZE>;

/// Blocks that have pairs: a kernel runs for those that all the room takes.
fn used_blocks() -> u32 {
  return (named_entries() + PAIRS_PER_BLOCK - 1u) / PAIRS_PER_BLOCK;
}

fn digit_of(pair: vec2<u32>) -> u32 {
  return extractBits(pair.x, settings.shift, DIGIT_BITS);
}

fn count_own(first: u32, end: u32, counters_base: u32) {
  for (var i = first; i < end; i++) {
    counters[counters_base + digit_of(source[i])] += 1u;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn count(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let block = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let block_count = used_blocks();
  if (block >= block_count) {
    return;
  }
  let first = block * PAIRS_PER_BLOCK + local_index * PAIRS_PER_INVOCATION;
  count_own(first, min(first + PAIRS_PER_INVOCATION, named_entries()), local_index * DIGIT_COUNT);
  workgroupBarrier();
  for (var digit = local_index; digit < DIGIT_COUNT; digit += WORKGROUP_SIZE) {
    var total = 0u;
    for (var k = digit; k < WORKGROUP_SIZE * DIGIT_COUNT; k += DIGIT_COUNT) {
      total += counters[k];
    }
    histogram[settings.part_count + digit * block_count + block] = total;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn scan(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let length = DIGIT_COUNT * used_blocks();
  if (part * COUNTERS_PER_PART >= length) {
    return;
  }
  let start = min(part * COUNTERS_PER_PART + local_index * COUNTERS_PER_INVOCATION, length);
  let first = settings.part_count + start;
  let end = settings.part_count + min(start + COUNTERS_PER_INVOCATION, length);
  var own = 0u;
  for (var k = first; k < end; k++) {
    own += histogram[k];
  }
  sums[local_index] = own;
  workgroupBarrier();
  // A sum each, not a tree: one barrier, and few invocations read few words.
  var before = 0u;
  for (var k = 0u; k < local_index; k++) {
    before += sums[k];
  }
  for (var k = first; k < end; k++) {
    let here = histogram[k];
    histogram[k] = before;
    before += here;
  }
  if (local_index == WORKGROUP_SIZE - 1u) {
    histogram[part] = before;
  }
}

/// How many pairs come before those of a counter.
fn pairs_before(counter: u32) -> u32 {
  var before = histogram[settings.part_count + counter];
  let part = counter / COUNTERS_PER_PART;
  for (var k = 0u; k < part; k++) {
    before += histogram[k];
  }
  return before;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn scatter(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let block = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let block_count = used_blocks();
  if (block >= block_count) {
    return;
  }
  let first = block * PAIRS_PER_BLOCK + local_index * PAIRS_PER_INVOCATION;
  let end = min(first + PAIRS_PER_INVOCATION, named_entries());
  let counters_base = local_index * DIGIT_COUNT;
  count_own(first, end, counters_base);
  workgroupBarrier();
  // Counts become places: a digit's counters, in the order of the pairs.
  for (var digit = local_index; digit < DIGIT_COUNT; digit += WORKGROUP_SIZE) {
    var place = pairs_before(digit * block_count + block);
    for (var k = digit; k < WORKGROUP_SIZE * DIGIT_COUNT; k += DIGIT_COUNT) {
      let here = counters[k];
      counters[k] = place;
      place += here;
    }
  }
  workgroupBarrier();
  for (var i = first; i < end; i++) {
    let pair = source[i];
    let k = counters_base + digit_of(pair);
    destination[counters[k]] = pair;
    counters[k] += 1u;
  }
}
