// Composed with a generated struct `Portion` (src/stages/rows/map-halves.ts).
//
// As map-rows.wgsl, of elements of which two share a word: an invocation owns a word of the target, whichever rows its halves are of.
// What lies in other parts of the source comes by other dispatches.

override WORKGROUP_SIZE: u32 = 64u;
override ROW_LENGTH: u32 = 1u;

@group(0) @binding(0) var<uniform> portion: Portion;
@group(0) @binding(1) var<storage, read> map: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> target_words: array<u32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn map_halves(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let k = (workgroup_id.y * workgroup_count.x + workgroup_id.x) * WORKGROUP_SIZE + local_index;
  if (k >= portion.word_count) {
    return;
  }
  var word = target_words[portion.target_base + k];
  for (var side = 0u; side < 2u; side++) {
    let element = portion.first + 2u * k + side;
    if (element >= portion.element_count) {
      break;
    }
    let row = element / ROW_LENGTH;
    let entry = map[portion.first_entry + row];
    var half = portion.fresh;
    if (entry < portion.rows_before) {
      let origin = entry * ROW_LENGTH + element - row * ROW_LENGTH;
      if (origin < portion.source_first || origin >= portion.source_end) {
        continue;
      }
      let at = origin - portion.source_first;
      half = (source[portion.source_base + (at >> 1u)] >> (16u * (at & 1u))) & 0xffffu;
    }
    let shift = 16u * side;
    word = (word & ~(0xffffu << shift)) | (half << shift);
  }
  target_words[portion.target_base + k] = word;
}
