// Prefix sums in place: each word becomes the sum of those before it. A workgroup does a block of BLOCK words and writes the
// block's sum; the sums are made prefix sums in the same way, and `add_before` adds them to the blocks. Sums are modulo 2³².

const SCAN_SIZE: u32 = 256u;
const PER_INVOCATION: u32 = 4u;
const BLOCK: u32 = SCAN_SIZE * PER_INVOCATION;

@group(0) @binding(0) var<storage, read_write> words: array<u32>;
/// Per block; the last one is nobody's.
@group(0) @binding(1) var<storage, read_write> block_sums: array<u32>;

var<workgroup> sums: array<u32, SCAN_SIZE>;

@compute @workgroup_size(SCAN_SIZE)
fn scan_blocks(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_index) local_index: u32) {
  let count = arrayLength(&words);
  let first = block.x * BLOCK + local_index * PER_INVOCATION;
  var own: array<u32, PER_INVOCATION>;
  var sum = 0u;
  for (var k = 0u; k < PER_INVOCATION; k++) {
    own[k] = sum;
    if (first + k < count) {
      sum += words[first + k];
    }
  }
  sums[local_index] = sum;
  for (var reach = 1u; reach < SCAN_SIZE; reach *= 2u) {
    workgroupBarrier();
    var before = 0u;
    if (local_index >= reach) {
      before = sums[local_index - reach];
    }
    workgroupBarrier();
    sums[local_index] += before;
  }
  workgroupBarrier();
  let before = sums[local_index] - sum;
  for (var k = 0u; k < PER_INVOCATION; k++) {
    if (first + k < count) {
      words[first + k] = before + own[k];
    }
  }
  if (local_index == SCAN_SIZE - 1u) {
    block_sums[block.x] = sums[local_index];
  }
}

@compute @workgroup_size(SCAN_SIZE)
fn add_before(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_index) local_index: u32) {
  let first = block.x * BLOCK + local_index * PER_INVOCATION;
  for (var k = 0u; k < PER_INVOCATION; k++) {
    if (first + k < arrayLength(&words)) {
      words[first + k] += block_sums[block.x];
    }
  }
}
