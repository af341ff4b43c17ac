// Whether the weights to evaluate with are in the place of those that train is known here alone: what a caller encodes may
// never be submitted. The passes behind this do their work if they find the other weights in place, and none otherwise.
// Nor is there any for tensors that have made no step: what would be served in their place is not there yet.

/// Which weights are wanted: 1 for those to evaluate with.
override WANTED: u32 = 1u;
/// Words from one row to the next; a row begins with `is_active`.
override ROW_WORDS: u32 = 64u;

struct Place {
  /// 1 while the weights to evaluate with are in place.
  is_evaluating: u32,
  /// Steps applied to the tensors.
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> place: Place;
@group(0) @binding(1) var<storage, read_write> rows: array<u32>;

@compute @workgroup_size(1)
fn gate() {
  let is_needed = u32(place.is_evaluating != WANTED && place.count > 0u);
  for (var k = 0u; k < arrayLength(&rows); k += ROW_WORDS) {
    rows[k] = is_needed;
  }
  place.is_evaluating = WANTED;
}
