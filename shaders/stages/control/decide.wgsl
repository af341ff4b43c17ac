// Composed with generated declarations (src/stages/control/compose-control.ts), squares.wgsl and tree.wgsl.
//
// Second level of the gradient norm, and everything that a step decides from it for all tensors, in one workgroup:
// non-finite or not, norm, clip factor, skip or not, loss scale.
//
//   norm = ‖unscale · g‖₂ over all gradients     unscale = grad_scale / loss_scale
//   clip = min(1, max_grad_norm / (norm + 1e-6))           torch.nn.utils.clip_grad_norm_
//   loss_scale ← loss_scale · backoff on a non-finite gradient, · growth after `growth_interval` finite steps
//                                                          torch.amp.GradScaler

override CLIP: bool = false;
override SKIP: bool = false;
override DYNAMIC: bool = false;

const WORKGROUP_SIZE: u32 = 256u;
/// The smallest loss scale that backing off leads to: float16's smallest number. A loss scaled by less is 0 there.
const LEAST_LOSS_SCALE: f32 = 0x1p-24;
/// The largest loss scale that growing leads to: gradients are multiplied by its reciprocal, and a smaller one is flushed.
const LARGEST_LOSS_SCALE: f32 = 0x1p126;

@group(0) @binding(0) var<uniform> reduction: Reduction;
@group(0) @binding(1) var<storage, read> workspace: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> head: Head;
/// What the caller's backward pass multiplies its loss with.
@group(0) @binding(3) var<storage, read_write> loss_scale: array<f32>;

fn adjust_loss_scale(is_finite: bool) {
  if (!is_finite) {
    // One that began below the least stays there.
    let least = min(head.loss_scale, LEAST_LOSS_SCALE);
    head.loss_scale = max(head.loss_scale * slot.settings.backoff_factor, least);
    head.growth_tracker = 0u;
    return;
  }
  head.growth_tracker += 1u;
  if (head.growth_tracker >= slot.settings.growth_interval) {
    head.growth_tracker = 0u;
    if (head.loss_scale <= LARGEST_LOSS_SCALE / slot.settings.growth_factor) {
      head.loss_scale *= slot.settings.growth_factor;
    }
  }
}

fn decide_all(total: vec4<u32>) {
  let flags = total.w;
  let is_finite = flags == 0u;
  let unscale = slot.settings.grad_scale / head.loss_scale;
  var multiplier = bitcast<u32>(unscale);
  head.clip_factor = 0x3f800000u;
  if (is_finite) {
    let norm = norm_of(bitcast<vec3<f32>>(total.xyz), unscale);
    head.grad_norm = bitcast<u32>(norm);
    if (CLIP) {
      let factor = min(1.0, slot.settings.max_grad_norm / (norm + 1e-6));
      head.clip_factor = bitcast<u32>(factor);
      multiplier = bitcast<u32>(unscale * factor);
    }
  } else {
    head.grad_norm = select(0x7f800000u, 0x7fc00000u, (flags & NOT_A_NUMBER) != 0u);
    if (CLIP) {
      // max/∞ is 0 and max/NaN is NaN.
      head.clip_factor = select(0u, 0x7fc00000u, (flags & NOT_A_NUMBER) != 0u);
      multiplier = head.clip_factor;
    }
  }
  slot.settings.multiplier = multiplier;
  let skip = SKIP && !is_finite && head.consecutive_skips < slot.settings.max_consecutive_skips;
  if (DYNAMIC) {
    adjust_loss_scale(is_finite);
    loss_scale[0] = head.loss_scale;
  }
  head.was_skipped = u32(skip);
  if (skip) {
    head.skipped += 1u;
    head.consecutive_skips += 1u;
    return;
  }
  head.consecutive_skips = select(head.consecutive_skips, 0u, is_finite);
  head.step += 1u;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn decide(@builtin(local_invocation_index) local_index: u32) {
  var partial = vec4<u32>(0u);
  for (var i = local_index; i < reduction.partial_count; i += WORKGROUP_SIZE) {
    partial = add_partials(partial, workspace[reduction.first_partial + i]);
  }
  sum_workgroup(local_index, partial);
  if (local_index == 0u) {
    decide_all(shared_partials[0]);
  }
}
