// Composed with generated declarations (src/stages/measure/compose-measure.ts), lanes.wgsl, squares.wgsl,
// norm-of-partial.wgsl, tree.wgsl and one rule.
//
// Second level: one workgroup per tensor adds its partials in a fixed order, and `summarize(norms)` makes of the norms
// what the tensor's elements need, and keeps the state that a tensor has as a whole. No invocation of it sees another
// tensor's record.

@group(0) @binding(0) var<storage, read> spans: array<Span>;
/// Per workgroup of measure.wgsl and quantity.
@group(0) @binding(1) var<storage, read> partials: array<vec4<u32>>;
/// `TensorRecord`s of all tensors that the group ever had.
@group(0) @binding(2) var<storage, read_write> records: array<f32>;

/// Where the record of the present tensor begins.
var<private> record_base: u32;

@compute @workgroup_size(WORKGROUP_SIZE)
fn summarize_tensors(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, workgroup_count);
  if (index >= arrayLength(&spans)) {
    return;
  }
  let span = spans[index];
  if (step_rows[span.row].is_active == 0u) {
    return;
  }
  h = step_rows[span.row];
  prepare();
  var norms: array<f32, QUANTITY_COUNT>;
  for (var k = 0u; k < QUANTITY_COUNT; k++) {
    var partial = vec4<u32>(0u);
    for (var i = local_index; i < span.partial_count; i += WORKGROUP_SIZE) {
      partial = add_partials(partial, partials[(span.first_partial + i) * QUANTITY_COUNT + k]);
    }
    sum_workgroup(local_index, partial);
    if (local_index == 0u) {
      norms[k] = norm_of_partial(shared_partials[0]);
    }
  }
  if (local_index == 0u) {
    record_base = span.record;
    load_record();
    summarize(norms);
    store_record();
  }
}
