// Composed with splat.wgsl.
//
// What splats are chosen by, as words whose order is that of the numbers: the bits of a float ≥ 0 are.

/// What becomes of a splat.
const KEPT: u32 = 0u;
const PRUNED: u32 = 1u;

@group(0) @binding(0) var<storage, read> splats: array<Splat>;
@group(0) @binding(1) var<storage, read> shapes: array<Shape>;
@group(0) @binding(2) var<storage, read> strains: array<f32>;
@group(0) @binding(3) var<storage, read_write> fates: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;

/// The largest keys are of those that add least at their centre: opacity times the strongest colour. Beside the picture it is 0.
@compute @workgroup_size(64)
fn rank_for_pruning(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&splats)) {
    return;
  }
  let colour = abs(shapes[id.x].colour);
  let bounds = shapes[id.x].bounds;
  let worth = max(colour.r, max(colour.g, colour.b));
  keys[id.x] = ~bitcast<u32>(select(worth, 0.0, any(corner(bounds.y) <= corner(bounds.x))));
  fates[id.x] = KEPT;
}

/// The largest keys are of those whose position was pulled at hardest; the pruned ones come last.
@compute @workgroup_size(64)
fn rank_for_splitting(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&splats)) {
    return;
  }
  keys[id.x] = select(bitcast<u32>(strains[id.x]) + 1u, 0u, fates[id.x] == PRUNED);
}
