import wgsl from '../../shaders/codecs/bf16.wgsl?raw';
import type { Codec } from './codec.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The first half of a float32's bits, rounded to the nearest, of two that are equally near to the even one; NaN stays NaN: the twin of
 * `pack_bf16` in `shaders/codecs/bf16.wgsl`.
 */
function halfOf(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  if (Number.isNaN(value)) return ((word | 0x40_0000) >>> 16) & 0xffff;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

function valueOf(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

/** The two words of a lane that begins at an element: it begins and ends with a word, or what is behind its last one is nobody's. */
const FIRST_WORD = (base: string): string => `  let first = (${base} + at.element) >> 1u;`;

/** bfloat16: 8 bits of a float32's 24, and all its exponents. Two elements per word, the first one in its low half. */
export const bf16: Codec = {
  name: 'bf16',
  dtype: 'BF16',
  wgsl,
  blockLength: 2,
  blockByteLength: 4,
  isScaled: false,
  roundingError: 2 ** -8,
  arrayType: (access) => (access === 'vector' ? 'vec2<u32>' : 'u32'),
  itemByteLength: (access) => (access === 'vector' ? 8 : 4),
  load: ({ array, base, access }) =>
    access === 'vector'
      ? `  return unpack_bf16(${array}[${base} + at.lane]);`
      : `${FIRST_WORD(base)}
  return unpack_bf16(vec2<u32>(${array}[first], ${array}[first + select(0u, 1u, at.valid > 2u)]));`,
  store: ({ array, base, access }) =>
    access === 'vector'
      ? `  ${array}[${base} + at.lane] = pack_bf16(value);`
      : `${FIRST_WORD(base)}
  let words = pack_bf16(value);
  ${array}[first] = words.x;
  if (at.valid > 2u) {
    ${array}[first + 1u] = words.y;
  }`,
  encode: (values) => {
    const halves = new Uint16Array(2 * Math.ceil(values.length / 2));
    for (let k = 0; k < values.length; k++) halves[k] = halfOf(values[k]!);
    return new Uint8Array(halves.buffer);
  },
  decode: (bytes, elementCount) => {
    const halves = new Uint16Array(bytes, 0, elementCount);
    return Float32Array.from(halves, valueOf);
  },
};
