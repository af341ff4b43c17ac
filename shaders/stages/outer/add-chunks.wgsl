// What top-k.wgsl packed, times a factor, is added to numbers. Twin: decodeChunks of src/outer/top-k.ts. Places of a chunk ascend, so that
// no two invocations have one element.
//
//   target[place] ← target[place] + fv       v ± (least + level · step)

override BITS: u32 = 8u;

const THREADS: u32 = 256u;
const PLACE_BITS: u32 = 12u;

@group(0) @binding(0) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(1) var<storage, read_write> numbers: array<f32>;
@group(0) @binding(2) var<storage, read> packed: array<u32>;
@group(0) @binding(3) var<uniform> factor: vec4<f32>;

@compute @workgroup_size(THREADS)
fn add_chunks(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let k = workgroup.x + workgroup.y * workgroup_count.x;
  if (k >= arrayLength(&chunks)) {
    return;
  }
  let chunk = chunks[k];
  let places = chunk.word + select(2u, 0u, BITS == 32u);
  let codes = places + (PLACE_BITS * chunk.kept + 31u) / 32u;
  for (var at = thread; at < chunk.kept; at += THREADS) {
    let begin = at * PLACE_BITS;
    let shift = begin & 31u;
    var place = packed[places + begin / 32u] >> shift;
    if (shift > 32u - PLACE_BITS) {
      place |= packed[places + begin / 32u + 1u] << (32u - shift);
    }
    place &= (1u << PLACE_BITS) - 1u;
    let code = packed[codes + at * BITS / 32u] >> ((at * BITS) & 31u);
    var value = bitcast<f32>(code);
    if (BITS < 32u) {
      let level = code & ((1u << ((BITS - 1u) & 31u)) - 1u);
      let magnitude = bitcast<f32>(packed[chunk.word]) + f32(level) * bitcast<f32>(packed[chunk.word + 1u]);
      value = select(magnitude, -magnitude, ((code >> (BITS - 1u)) & 1u) == 1u);
    }
    let element = chunk.element + place;
    numbers[element] = numbers[element] + factor.x * value;
  }
}
