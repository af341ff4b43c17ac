// Composed with splat.wgsl.
//
// The loss of a step, the mean squared error over the pixels' channels, beside those of the steps before; always added in the same
// order. Workgroups with barriers are slow where a CPU computes, so there is one.

const LOSS_SIZE: u32 = 64u;
/// Invocations of a tile, as render.wgsl has them.
const PER_TILE: u32 = 64u;

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> errors: array<f32>;
@group(0) @binding(2) var<storage, read_write> tile_errors: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(64)
fn sum_tiles(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&tile_errors)) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < PER_TILE; k++) {
    sum += errors[id.x * PER_TILE + k];
  }
  tile_errors[id.x] = sum;
}

var<workgroup> sums: array<f32, LOSS_SIZE>;

@compute @workgroup_size(LOSS_SIZE)
fn loss(@builtin(local_invocation_index) local_index: u32) {
  var sum = 0.0;
  for (var i = local_index; i < arrayLength(&tile_errors); i += LOSS_SIZE) {
    sum += tile_errors[i];
  }
  sums[local_index] = sum;
  for (var half = LOSS_SIZE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local_index < half) {
      sums[local_index] += sums[local_index + half];
    }
  }
  if (local_index == 0u && frame.step < arrayLength(&losses)) {
    losses[frame.step] = sums[0] / (3.0 * f32(frame.size.x * frame.size.y));
  }
}
