// The `wanted` largest of some keys, of equal ones the first: a digit of eight bits of the last one that is taken is found per
// round, from the highest (radix selection). Ties are ranked by a prefix sum. So many are chosen exactly, and the host knows how
// many without asking.

/// What becomes of those that are chosen.
override FATE: u32 = 1u;

const DIGITS: u32 = 256u;

struct Selection {
  /// Of the key that is looked for, the digits that are known.
  prefix: u32,
  /// Before the first round, how many are wanted; then how many of those that have the digits so far.
  wanted: u32,
  /// Rounds done.
  round: u32,
}

@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> selection: Selection;
/// Zeros before each round.
@group(0) @binding(2) var<storage, read_write> histogram: array<atomic<u32>, DIGITS>;
@group(0) @binding(3) var<storage, read_write> ranks: array<u32>;
@group(0) @binding(4) var<storage, read_write> fates: array<u32>;

@compute @workgroup_size(64)
fn count_digits(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&keys)) {
    return;
  }
  let key = keys[id.x];
  let shift = 24u - 8u * selection.round;
  // A shift by 32 bits is none.
  if (selection.round == 0u || key >> ((shift + 8u) & 31u) == selection.prefix) {
    atomicAdd(&histogram[(key >> shift) & 255u], 1u);
  }
}

@compute @workgroup_size(1)
fn choose_digit() {
  var digit = DIGITS - 1u;
  var above = 0u;
  for (; digit > 0u; digit--) {
    let count = atomicLoad(&histogram[digit]);
    if (above + count >= selection.wanted) {
      break;
    }
    above += count;
  }
  selection.wanted -= above;
  selection.prefix = (selection.prefix << 8u) | digit;
  selection.round += 1u;
  for (var k = 0u; k < DIGITS; k++) {
    atomicStore(&histogram[k], 0u);
  }
}

@compute @workgroup_size(64)
fn mark_ties(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&keys)) {
    ranks[id.x] = u32(keys[id.x] == selection.prefix);
  }
}

@compute @workgroup_size(64)
fn choose(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&keys)) {
    return;
  }
  let key = keys[id.x];
  if (key > selection.prefix || (key == selection.prefix && ranks[id.x] < selection.wanted)) {
    fates[id.x] = FATE;
  }
}
