// The map of a densification, for `optimizer.mapRows`: who is not pruned moves together, in order; behind them, each that is split
// is there once more.

const PRUNED: u32 = 1u;
const SPLIT: u32 = 2u;

@group(0) @binding(0) var<storage, read> fates: array<u32>;
@group(0) @binding(1) var<storage, read_write> kept_ranks: array<u32>;
@group(0) @binding(2) var<storage, read_write> split_ranks: array<u32>;
/// Per row that there will be, the row that it was.
@group(0) @binding(3) var<storage, read_write> row_map: array<u32>;
/// Per row that is there once more, where its other half will be.
@group(0) @binding(4) var<storage, read_write> partners: array<u32>;

@compute @workgroup_size(64)
fn mark(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&fates)) {
    kept_ranks[id.x] = u32(fates[id.x] != PRUNED);
    split_ranks[id.x] = u32(fates[id.x] == SPLIT);
  }
}

/// Behind the prefix sums of both.
@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&fates)) {
    return;
  }
  let kept = kept_ranks[id.x];
  if (fates[id.x] != PRUNED) {
    row_map[kept] = id.x;
  }
  if (fates[id.x] == SPLIT) {
    let rank = split_ranks[id.x];
    row_map[arrayLength(&row_map) - arrayLength(&partners) + rank] = id.x;
    partners[rank] = kept;
  }
}
