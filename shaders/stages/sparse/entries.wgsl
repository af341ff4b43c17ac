// Composed with generated declarations (src/stages/sparse/compose-row-sums.ts). What all kernels of a sparse gradient begin with.

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> counts: array<u32>;

/// Whether the count is on the GPU; otherwise `counts` is bound to something of no meaning.
override HAS_COUNT: bool = false;

/// How many entries there are: of the room for them, only these are listed, sorted and summed.
fn named_entries() -> u32 {
  if (HAS_COUNT) {
    return min(settings.entry_count, counts[settings.count_base]);
  }
  return settings.entry_count;
}
