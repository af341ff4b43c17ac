// Composed with entries.wgsl.
//
// One digit of a stable radix sort of pairs (row, position) by row, least significant digit first (Knuth, TAOCP 3,
// section 5.2.5): `count`, `scan`, `scatter`. An invocation has its own neighbouring pairs and its own counters and
// goes through them one by one, so nothing is atomic, and pairs with equal digits keep their order: the result is the
// same on every run and device.

/// As in src/plan/row-sums.ts. Each invocation has a counter per digit to clear and to add up, and SwiftShader compiles a store for each word of
/// workgroup memory.
override WORKGROUP_SIZE: u32;
/// Pairs of a workgroup, and counters of one of `scan`.
override PER_BLOCK: u32;
override DIGIT_BITS: u32;
override DIGIT_COUNT: u32 = 1u << DIGIT_BITS;
/// Whether there is but one block: `scatter` does it all then.
override IS_ALONE: bool;
/// Whether it is the first pass, whose pairs are not listed yet.
override IS_FIRST: bool;

@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> source: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> destination: array<vec2<u32>>;
/// Per part of what follows, how many pairs. Behind these, per digit and block, how many pairs; after `scan`, how many pairs of its part
/// come before these.
@group(0) @binding(5) var<storage, read_write> histogram: array<u32>;

/// Per invocation and digit.
var<workgroup> counters: array<u32, WORKGROUP_SIZE * DIGIT_COUNT>;
var<workgroup> sums: array<u32, WORKGROUP_SIZE>;

/// Blocks that have pairs: a kernel runs for those that all the room takes.
fn used_blocks() -> u32 {
  return (named_entries() + PER_BLOCK - 1u) / PER_BLOCK;
}

/// Rows that the table does not have get the row number past the last, so that they end up behind all others.
fn pair_at(i: u32) -> vec2<u32> {
  if (IS_FIRST) {
    return vec2<u32>(min(settings.row_count, indices[settings.indices_base + i]), i);
  }
  return source[i];
}

fn digit_of(pair: vec2<u32>) -> u32 {
  return extractBits(pair.x, settings.shift, DIGIT_BITS);
}

/// First of an invocation's pairs, and past the last: a block's are shared evenly.
fn own_pairs(block: u32, local_index: u32) -> vec2<u32> {
  let first = block * PER_BLOCK;
  let end = min(first + PER_BLOCK, named_entries());
  let share = (end - first + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
  return min(vec2<u32>(first + local_index * share) + vec2<u32>(0u, share), vec2<u32>(end));
}

fn count_own(own: vec2<u32>, counters_base: u32) {
  for (var i = own.x; i < own.y; i++) {
    counters[counters_base + digit_of(pair_at(i))] += 1u;
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
  count_own(own_pairs(block, local_index), local_index * DIGIT_COUNT);
  workgroupBarrier();
  for (var digit = local_index; digit < DIGIT_COUNT; digit += WORKGROUP_SIZE) {
    var total = 0u;
    for (var k = digit; k < WORKGROUP_SIZE * DIGIT_COUNT; k += DIGIT_COUNT) {
      total += counters[k];
    }
    histogram[settings.part_count + digit * block_count + block] = total;
  }
}

/// What the invocations before one have, each `own`. A sum each, not a tree: one barrier, and few invocations read few words.
fn sum_before(local_index: u32, own: u32) -> u32 {
  sums[local_index] = own;
  workgroupBarrier();
  var before = 0u;
  for (var k = 0u; k < local_index; k++) {
    before += sums[k];
  }
  return before;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn scan(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let length = DIGIT_COUNT * used_blocks();
  if (part * PER_BLOCK >= length) {
    return;
  }
  let own_counters = PER_BLOCK / WORKGROUP_SIZE;
  let start = min(part * PER_BLOCK + local_index * own_counters, length);
  let first = settings.part_count + start;
  let end = settings.part_count + min(start + own_counters, length);
  var own = 0u;
  for (var k = first; k < end; k++) {
    own += histogram[k];
  }
  var before = sum_before(local_index, own);
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
  let part = counter / PER_BLOCK;
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
  let own = own_pairs(block, local_index);
  let counters_base = local_index * DIGIT_COUNT;
  count_own(own, counters_base);
  workgroupBarrier();
  let own_digits = max(1u, DIGIT_COUNT / WORKGROUP_SIZE);
  let first_digit = local_index * own_digits;
  let end_digit = min(first_digit + own_digits, DIGIT_COUNT);
  var place = 0u;
  if (IS_ALONE) {
    for (var k = 0u; k < WORKGROUP_SIZE * DIGIT_COUNT; k += DIGIT_COUNT) {
      for (var digit = first_digit; digit < end_digit; digit++) {
        place += counters[k + digit];
      }
    }
    place = sum_before(local_index, place);
  }
  // Counts become places: a digit's counters, in the order of the pairs.
  for (var digit = first_digit; digit < end_digit; digit++) {
    if (!IS_ALONE) {
      place = pairs_before(digit * block_count + block);
    }
    for (var k = digit; k < WORKGROUP_SIZE * DIGIT_COUNT; k += DIGIT_COUNT) {
      let here = counters[k];
      counters[k] = place;
      place += here;
    }
  }
  workgroupBarrier();
  for (var i = own.x; i < own.y; i++) {
    let pair = pair_at(i);
    let k = counters_base + digit_of(pair);
    destination[counters[k]] = pair;
    counters[k] += 1u;
  }
}
