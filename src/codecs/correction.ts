import { bf16 } from './bf16.js';
import type { Codec, LaneAccess } from './codec.js';

const MOST = 127;
/** Units in the last place of a float32 that one is worth: see `shaders/codecs/corrected-bf16.wgsl`. */
const STEP = 258;
const INFINITY_BITS = 0x7f80_0000;

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0]!;
}

/** The weight that a copy and its correction stand for; the twin of `corrected_weight` in WGSL. */
export function correctedWeight(copy: number, correction: number): number {
  const word = bitsOf(copy);
  const rest = word & 0x7fff_ffff;
  if (rest >= INFINITY_BITS) return copy;
  bits[0] = Math.max(rest + STEP * correction, 0) | (word & 0x8000_0000);
  return float[0]!;
}

/** What a weight is more than its copy; the twin of `correction_of` in WGSL. */
export function correctionOf(weight: number): number {
  const copy = bitsOf(bf16.round!(weight)) & 0x7fff_ffff;
  if (copy >= INFINITY_BITS) return 0;
  return Math.floor(((bitsOf(weight) & 0x7fff_ffff) - copy + STEP / 2) / STEP);
}

const wordOf = ({ base, access }: LaneAccess): string =>
  access === 'vector' ? `${base} + at.lane` : `(${base} + at.element) / 4u`;

/** Integers from −127 to 127, four to a word, the first one in its low byte. */
export const correction: Codec = {
  name: 'correction',
  dtype: 'U8',
  wgsl: '',
  blockLength: 4,
  blockByteLength: 4,
  isScaled: false,
  // Of what it takes.
  roundingError: 0,
  accepts: {
    test: (value) => Number.isInteger(value) && Math.abs(value) <= MOST,
    what: `an integer from −${MOST} to ${MOST}`,
  },
  arrayType: () => 'u32',
  itemByteLength: () => 4,
  load: (lanes) => `  let word = ${lanes.array}[${wordOf(lanes)}];
  return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));`,
  store: (
    lanes,
  ) => `  let codes = (bitcast<vec4<u32>>(vec4<i32>(value)) & vec4<u32>(0xffu)) << vec4<u32>(0u, 8u, 16u, 24u);
  ${lanes.array}[${wordOf(lanes)}] = (codes.x | codes.y) | (codes.z | codes.w);`,
  encode: (values) => {
    const bytes = new Int8Array(4 * Math.ceil(values.length / 4));
    bytes.set(values);
    return new Uint8Array(bytes.buffer);
  },
  decode: (bytes, elementCount) => Float32Array.from(new Int8Array(bytes, 0, elementCount)),
};
