import wgsl from '../../shaders/codecs/i32.wgsl?raw';
import type { Codec, LaneAccess } from './codec.js';
import { loadedLane, storeLane } from './f32.js';

const { fround } = Math;

/** The nearest integer, of two that are equally near the even one; the twin of `i32_of_float` in WGSL. */
function nearest(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  const even = low % 2 === 0 ? low : low + 1;
  const integer = rest === 0.5 ? even : rest < 0.5 ? low : low + 1;
  return Math.min(Math.max(integer, -(2 ** 31)), 2_147_483_520);
}

const codecs = new Map<number, Codec>();

/**
 * Fixed point in 32 bits: g is kept as the integer next to g · scale. The same object for the same scale.
 *
 * @param scale a number > 0 that float32 holds, and its reciprocal, too.
 */
export function fixedPoint(scale: number): Codec {
  let codec = codecs.get(scale);
  if (!codec) codecs.set(scale, (codec = makeFixedPoint(scale)));
  return codec;
}

function makeFixedPoint(scale: number): Codec {
  const [step, most] = [fround(1 / scale), fround(scale)];
  const value = (lanes: LaneAccess): [find: string, value: string] => {
    const [find, words] = loadedLane(lanes, 'i32');
    return [find, `float_of_i32(${words}) * ${step}f`];
  };
  return {
    name: `i32/${scale}`,
    // No tensor of a file: gradients are not saved.
    dtype: 'U8',
    wgsl,
    blockLength: 1,
    blockByteLength: 4,
    isScaled: false,
    // Of an integer of 31 bits, and of a step that is no power of 2.
    roundingError: 2 ** -22,
    smallestNumber: step,
    arrayType: (access) => (access === 'vector' ? 'vec4<i32>' : 'i32'),
    itemByteLength: (access) => (access === 'vector' ? 16 : 4),
    load: (lanes) => {
      const [find, loaded] = value(lanes);
      return `${find}  return ${loaded};`;
    },
    loadBits: (lanes) => {
      const [find, loaded] = value(lanes);
      return `${find}  return bitcast<vec4<u32>>(${loaded});`;
    },
    store: (lanes) => `  let integers = i32_of_float(value * ${most}f);
${storeLane(lanes, 'integers')}`,
    convert: (words) => `float_of_i32(${words}) * ${step}f`,
    encode: (values) => {
      const integers = Int32Array.from(values, (each) => nearest(fround(each * most)));
      return new Uint8Array(integers.buffer);
    },
    decode: (bytes, elementCount) =>
      Float32Array.from(new Int32Array(bytes, 0, elementCount), (integer) => fround(fround(integer) * step)),
  };
}
