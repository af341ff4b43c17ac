// Which lanes of a dispatch an invocation owns; for step.wgsl and control/reduce.wgsl.

override WORKGROUP_SIZE: u32 = 256u;
/// Lanes that one invocation handles.
override LANES_PER_INVOCATION: u32 = 1u;
/// Whether an invocation's lanes are neighbours (best on CPU adapters) or a workgroup apart (coalesced, for GPUs).
override CONSECUTIVE: bool = false;

struct LaneRange {
  first: u32,
  /// Past the last.
  end: u32,
  stride: u32,
}

/// Workgroups are counted in two dimensions, because one holds at most 65,535 of them.
fn linear_workgroup(workgroup_id: vec3u, workgroup_count: vec3u) -> u32 {
  return workgroup_id.y * workgroup_count.x + workgroup_id.x;
}

fn own_lanes(workgroup: u32, local_index: u32, lane_count: u32) -> LaneRange {
  var first = workgroup * WORKGROUP_SIZE * LANES_PER_INVOCATION;
  var stride = WORKGROUP_SIZE;
  if (CONSECUTIVE) {
    first += local_index * LANES_PER_INVOCATION;
    stride = 1u;
  } else {
    first += local_index;
  }
  return LaneRange(first, min(first + LANES_PER_INVOCATION * stride, lane_count), stride);
}
