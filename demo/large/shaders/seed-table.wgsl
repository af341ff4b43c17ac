// Composed with words.wgsl and philox.wgsl, and for the tables' dtype with Entry and entry_from() (model/dtypes.ts).
//
// How the tables begin: uniform in (−10⁻⁴, 10⁻⁴), as section 4 of the paper has it. A number follows from the seed and its
// place among all levels, so that a level starts the same in either table.

struct Seeding {
  seed: vec2<u32>,
  /// How many pairs of numbers lie before this table's.
  before: u32,
}

@group(0) @binding(0) var<uniform> seeding: Seeding;
@group(0) @binding(1) var<storage, read_write> entries: array<Entry>;

@compute @workgroup_size(64)
fn seed_table(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroup_count: vec3u) {
  for (var i = id.x; i < arrayLength(&entries); i += 64u * workgroup_count.x) {
    let words = philox(vec4<u32>(seeding.before + i, 0u, 1u, 0u), seeding.seed).xy;
    // The middles of 2²³ equal parts of (0, 1): exact in float32, as in shaders/initialize.wgsl.
    let u = (vec2<f32>(words >> vec2<u32>(9u)) + 0.5) * 0x1p-23;
    entries[i] = entry_from((2.0 * u - 1.0) * 1e-4);
  }
}
