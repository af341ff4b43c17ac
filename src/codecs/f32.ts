import type { Codec } from './codec.js';

/** IEEE float32, one element per word: as a vec4 where a lane begins at a multiple of 16 bytes, else word by word. */
export const f32: Codec = {
  name: 'f32',
  byteLength: (elementCount) => 4 * elementCount,
  arrayType: (access) => (access === 'vector' ? 'vec4<f32>' : 'f32'),
  unitByteLength: (access) => (access === 'vector' ? 16 : 4),
  load: ({ array, base, access }) =>
    access === 'vector'
      ? `  return ${array}[${base} + at.lane];`
      : `  let first = ${base} + at.element;
  let last = first + at.valid - 1u;
  return vec4<f32>(
    ${array}[first],
    ${array}[min(first + 1u, last)],
    ${array}[min(first + 2u, last)],
    ${array}[min(first + 3u, last)],
  );`,
  store: ({ array, base, access }) =>
    access === 'vector'
      ? `  ${array}[${base} + at.lane] = value;`
      : `  let first = ${base} + at.element;
  ${array}[first] = value.x;
  if (at.valid > 1u) {
    ${array}[first + 1u] = value.y;
  }
  if (at.valid > 2u) {
    ${array}[first + 2u] = value.z;
  }
  if (at.valid > 3u) {
    ${array}[first + 3u] = value.w;
  }`,
  encode: (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  decode: (bytes) => new Float32Array(bytes),
};
