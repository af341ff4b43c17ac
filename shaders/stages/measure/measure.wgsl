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
  let gradient = load_grad(at);
  load_state(at);
  let before = load_data(at);
  let g = incoming_gradient(before, gradient);
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

/// Of each quantity; the second one is nothing where there is none.
struct Partials {
  first: vec4<u32>,
  second: vec4<u32>,
}

/// Loads what the dispatch is about. Returns whether the tensor takes part in the step.
fn is_measured() -> bool {
  portion = uniform_portion;
  h = page[uniform_portion.row];
  return page[uniform_portion.row].is_active != 0u;
}

/// Sums of at most two quantities. A variable for each: an array that a loop indexes stays in memory, not in registers.
struct Sums {
  first: Squares,
  second: Squares,
}

/// What an invocation makes of its lanes.
fn partials_of(lanes: LaneRange) -> Partials {
  // To ask in each lane whether it is the chunk's last one, with less than four elements, takes a tenth of the time.
  let end = select(min(lanes.end, portion.element_count / 4u), lanes.first, IS_MASKED);
  var sums: Sums;
  var i = lanes.first;
  for (; i < end; i += lanes.stride) {
    let values = measure_lane(place_of(i));
    sums.first = add_squares(sums.first, bitcast<vec4<u32>>(values[0]));
    if (HAS_SECOND) {
      sums.second = add_squares(sums.second, bitcast<vec4<u32>>(values[QUANTITY_COUNT - 1u]));
    }
  }
  var kinds = vec2<u32>(MEDIUM);
  // The rest of them; then, as hardly ever, all of them once more.
  for (var is_again = false; ; is_again = true) {
    for (; i < lanes.end; i += lanes.stride) {
      let at = place_of(i);
      let counts = counting(at);
      if (is_idle(counts)) {
        continue;
      }
      let values = measure_lane(at);
      sums.first = add_scaled_squares(sums.first, bits_within(values[0], counts), kinds.x);
      if (HAS_SECOND) {
        let bits = bits_within(values[QUANTITY_COUNT - 1u], counts);
        sums.second = add_scaled_squares(sums.second, bits, kinds.y);
      }
    }
    if (is_again) {
      break;
    }
    kinds = vec2<u32>(kind_of(sums.first), select(MEDIUM, kind_of(sums.second), HAS_SECOND));
    if (all(kinds == vec2<u32>(MEDIUM))) {
      break;
    }
    sums = Sums();
    i = lanes.first;
  }
  return Partials(partial_of(sums.first, kinds.x), partial_of(sums.second, kinds.y));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_tensor(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  if (!is_measured()) {
    return;
  }
  prepare();
  let workgroup = linear_workgroup(workgroup_id, workgroup_count);
  let lanes = own_lanes(workgroup, local_index, portion.lane_count);
  let own = partials_of(lanes);
  sum_workgroup(local_index, own.first);
  if (local_index == 0u) {
    store_partial(workgroup, 0u, shared_partials[0]);
  }
  if (HAS_SECOND) {
    sum_workgroup(local_index, own.second);
    if (local_index == 0u) {
      store_partial(workgroup, 1u, shared_partials[0]);
    }
  }
}

fn store_partial(workgroup: u32, quantity: u32, partial: vec4<u32>) {
  if (workgroup < portion.workgroup_count) {
    partials[(portion.first_partial + workgroup) * QUANTITY_COUNT + quantity] = partial;
  }
}

/// Of an invocation that measures alone.
var<private> own_partials: array<Partials, SHARED_COUNT>;

fn add_own(place: u32, added: Partials) {
  let sum = own_partials[place];
  own_partials[place] = Partials(add_partials(sum.first, added.first), add_partials(sum.second, added.second));
}

/// For CPU adapters, where barriers cost more than all else: an invocation makes the partial of a whole workgroup of `measure_tensor`, one share
/// after the other, and adds them by the same tree.
@compute @workgroup_size(WORKGROUPS_ALONE)
fn measure_alone(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  if (!is_measured()) {
    return;
  }
  prepare();
  let workgroup = linear_workgroup(workgroup_id, workgroup_count) * WORKGROUPS_ALONE + local_index;
  // Behind the chunk's end there is nothing to add.
  let first_lane = min(workgroup * WORKGROUP_SIZE * LANES_PER_INVOCATION, portion.lane_count);
  let share_count = min(WORKGROUP_SIZE, portion.lane_count - first_lane);
  let top = min(SHARED_COUNT, WORKGROUP_SIZE) / 2u;
  for (var share = 0u; share < share_count; share++) {
    let own = partials_of(own_lanes(workgroup, share, portion.lane_count));
    let place = share % SHARED_COUNT;
    if (share == place) {
      own_partials[place] = own;
    } else {
      add_own(place, own);
    }
  }
  for (var half = top; half > 0u; half /= 2u) {
    for (var place = 0u; place < half; place++) {
      add_own(place, own_partials[place + half]);
    }
  }
  store_partial(workgroup, 0u, own_partials[0].first);
  if (HAS_SECOND) {
    store_partial(workgroup, 1u, own_partials[0].second);
  }
}
