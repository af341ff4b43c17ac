// The largest elements of each chunk of 4,096, by magnitude; of equals, those that come first. Twin: encodeChunks of src/outer/top-k.ts. A
// workgroup has a chunk. Subnormals count as 0.
//
// Words of a chunk: the least magnitude and the step between levels (not of 32 bits), places of 12 bits, ascending, and codes: a sign and
// a level, or all bits of the value.

/// Bits of a code.
override BITS: u32 = 8u;

const THREADS: u32 = 64u;
/// Neighbours that an invocation has: few invocations meet at a barrier sooner, most of all on a CPU.
const OWN: u32 = 64u;
const PLACE_BITS: u32 = 12u;
const MOST_KEPT: u32 = 2048u;
const MIN_NORMAL: u32 = 0x800000u;
const INFINITE: u32 = 0x7f800000u;
const NOT_A_NUMBER: u32 = 0x7fc00000u;

@group(0) @binding(0) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;

/// Per bit of the threshold, keys that reach it: zero at first.
var<workgroup> reaching: array<atomic<u32>, 32>;
var<workgroup> largest: atomic<u32>;
/// Elements above the threshold.
var<workgroup> total: u32;
/// Per invocation: elements above the threshold, and at it; then of all before it.
var<workgroup> above: array<u32, THREADS>;
var<workgroup> equal: array<u32, THREADS>;
var<workgroup> picked: array<u32, MOST_KEPT>;

fn key_of(bits: u32) -> u32 {
  let key = bits & 0x7fffffffu;
  return select(key, 0u, key < MIN_NORMAL);
}

fn code_of(bits: u32, least: f32, step: f32) -> u32 {
  if (BITS == 32u) {
    return bits;
  }
  let most = (1u << (BITS - 1u)) - 1u;
  var level = 0u;
  if (step > 0.0) {
    let steps = (bitcast<f32>(key_of(bits)) - least) / step;
    level = min(u32(floor(max(steps, 0.0) + 0.5)), most);
  }
  return ((bits >> 31u) << (BITS - 1u)) | level;
}

@compute @workgroup_size(THREADS)
fn pack_chunks(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let k = workgroup.x + workgroup.y * workgroup_count.x;
  let is_chunk = k < arrayLength(&chunks);
  // Whole workgroups go on to the end: barriers are met by all.
  let chunk = chunks[min(k, arrayLength(&chunks) - 1u)];
  let first = thread * OWN;
  var keys: array<u32, OWN>;
  for (var i = 0u; i < OWN; i++) {
    // What is not there is kept last: its key is found below all others.
    let is_there = first + i < chunk.element_count;
    keys[i] = select(0u, key_of(values[chunk.element + min(first + i, chunk.element_count - 1u)]) + 1u, is_there);
  }

  // The threshold, bit by bit: the largest number that at least as many keys reach as are kept.
  var threshold = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let candidate = threshold | (0x80000000u >> bit);
    var count = 0u;
    for (var i = 0u; i < OWN; i++) {
      count += u32(keys[i] >= candidate);
    }
    if (count > 0u) {
      atomicAdd(&reaching[bit], count);
    }
    workgroupBarrier();
    if (atomicLoad(&reaching[bit]) >= chunk.kept) {
      threshold = candidate;
    }
  }

  var own_above = 0u;
  var own_equal = 0u;
  var own_largest = 0u;
  for (var i = 0u; i < OWN; i++) {
    own_above += u32(keys[i] > threshold);
    own_equal += u32(keys[i] == threshold);
    own_largest = max(own_largest, keys[i]);
  }
  above[thread] = own_above;
  equal[thread] = own_equal;
  atomicMax(&largest, own_largest);
  workgroupBarrier();
  if (thread == 0u) {
    var sums = vec2<u32>(0u);
    for (var t = 0u; t < THREADS; t++) {
      let own = vec2<u32>(above[t], equal[t]);
      above[t] = sums.x;
      equal[t] = sums.y;
      sums += own;
    }
    total = sums.x;
  }
  workgroupBarrier();
  let wanted = chunk.kept - total;
  var before = vec2<u32>(above[thread], equal[thread]);
  for (var i = 0u; i < OWN; i++) {
    let is_above = keys[i] > threshold;
    let is_equal = keys[i] == threshold;
    if (is_above || (is_equal && before.y < wanted)) {
      picked[before.x + min(before.y, wanted)] = first + i;
    }
    before += vec2<u32>(u32(is_above), u32(is_equal));
  }
  workgroupBarrier();
  if (!is_chunk) {
    return;
  }

  var word = chunk.word;
  var least = 0.0;
  var step = 0.0;
  if (BITS < 32u) {
    let most_key = atomicLoad(&largest) - 1u;
    least = bitcast<f32>(threshold - 1u);
    let levels = f32(max((1u << (BITS - 1u)) - 1u, 1u));
    let is_finite = most_key < INFINITE;
    step = select(0.0, (bitcast<f32>(most_key) - least) * (1.0 / levels), is_finite);
    if (thread == 0u) {
      packed[word] = threshold - 1u;
      packed[word + 1u] = select(NOT_A_NUMBER, bitcast<u32>(step), is_finite);
    }
    word += 2u;
  }
  let place_words = (PLACE_BITS * chunk.kept + 31u) / 32u;
  for (var item = thread; item < place_words; item += THREADS) {
    var bits = 0u;
    for (var at = 32u * item / PLACE_BITS; at < chunk.kept && at * PLACE_BITS < 32u * (item + 1u); at++) {
      let begin = at * PLACE_BITS;
      if (begin >= 32u * item) {
        bits |= picked[at] << (begin - 32u * item);
      } else {
        bits |= picked[at] >> (32u * item - begin);
      }
    }
    packed[word + item] = bits;
  }
  word += place_words;
  let per_word = 32u / BITS;
  let code_words = (chunk.kept + per_word - 1u) / per_word;
  for (var item = thread; item < code_words; item += THREADS) {
    var bits = 0u;
    for (var i = 0u; i < per_word; i++) {
      let at = item * per_word + i;
      if (at < chunk.kept) {
        bits |= code_of(values[chunk.element + picked[at]], least, step) << ((BITS * i) & 31u);
      }
    }
    packed[word + item] = bits;
  }
}
