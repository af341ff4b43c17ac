// Composed with generated declarations (src/stages/measure/compose-measure.ts), lanes.wgsl, squares.wgsl, incoming.wgsl,
// tree.wgsl and one rule.
//
// First level of what a rule measures of a whole tensor: norms of quantities that `measure(w, g)` gives per element.
// One partial per quantity and workgroup of one chunk of the tensor; weights and state are only read.
//
// The tree is fixed by the chunk's element count alone, wherever it lies: equal input gives equal bits.

/// Per workgroup and quantity.
@group(0) @binding(0) var<storage, read_write> partials: array<vec4<u32>>;

const HAS_SECOND: bool = QUANTITY_COUNT > 1u;

fn measure_lane(at: Place) -> Measured {
  let before = load_data(at);
  load_state(at);
  let g = incoming_gradient(before, load_grad(at));
  return measure(decayed_weight(before), g);
}

fn place_of(i: u32) -> Place {
  return Place(i, 4u * i, min(4u, portion.element_count - 4u * i));
}

/// The elements of a lane that count: none past the chunk's end, where a lane finds anything.
fn counting(at: Place) -> vec4<bool> {
  return (vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(at.valid)) & measured(at);
}

/// Bits of a quantity; zero where it does not count.
fn bits_within(value: lane, counts: vec4<bool>) -> vec4<u32> {
  return select(vec4<u32>(0u), bitcast<vec4<u32>>(value), counts);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_tensor(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  portion = uniform_portion;
  h = page[uniform_portion.row];
  if (page[uniform_portion.row].is_active == 0u) {
    return;
  }
  prepare();
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  let lanes = own_lanes(workgroup, local_index, portion.lane_count);
  // One variable for each of at most two quantities: an array that a loop indexes stays in memory, not in registers.
  var first: Squares;
  var second: Squares;
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    let at = place_of(i);
    let counts = counting(at);
    if (is_idle(counts)) {
      continue;
    }
    let values = measure_lane(at);
    first = add_ordinary_squares(first, bits_within(values[0], counts));
    if (HAS_SECOND) {
      second = add_ordinary_squares(second, bits_within(values[QUANTITY_COUNT - 1u], counts));
    }
  }
  // As in stages/control/reduce.wgsl: a second loop for what hardly ever happens, because CPU adapters run both sides of a branch.
  var careful_end = lanes.end;
  if ((all_flags(first) | all_flags(second)) == 0u) {
    careful_end = lanes.first;
  } else {
    first = Squares();
    second = Squares();
  }
  for (var i = lanes.first; i < careful_end; i += lanes.stride) {
    let at = place_of(i);
    let counts = counting(at);
    let values = measure_lane(at);
    first = add_squares(first, bits_within(values[0], counts));
    if (HAS_SECOND) {
      second = add_squares(second, bits_within(values[QUANTITY_COUNT - 1u], counts));
    }
  }
  store_partial(first, 0u, local_index, workgroup);
  if (HAS_SECOND) {
    store_partial(second, 1u, local_index, workgroup);
  }
}

fn store_partial(sums: Squares, quantity: u32, local_index: u32, workgroup: u32) {
  sum_workgroup(local_index, partial_of(sums));
  if (local_index == 0u && workgroup < portion.workgroup_count) {
    partials[(portion.first_partial + workgroup) * QUANTITY_COUNT + quantity] = shared_partials[0];
  }
}
