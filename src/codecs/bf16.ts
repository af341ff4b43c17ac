import wgsl from '../../shaders/codecs/bf16.wgsl?raw';
import randomWgsl from '../../shaders/codecs/random-bf16.wgsl?raw';
import { halves } from './halves.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The first half of a float32's bits, rounded; NaN stays NaN. */
function halfOf(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  if (Number.isNaN(value)) return ((word | 0x40_0000) >>> 16) & 0xffff;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** What is nearer to infinity than to the largest number, and what is not finite, is as it would be without. */
function drawHalf(value: number, word: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const rest = bits[0]! & 0x7fff_ffff;
  if (rest >= 0x7f7f_8000) return halfOf(value);
  return sign | Math.min((rest + (word >>> 16)) >>> 16, 0x7f7f);
}

function valueOf(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

/** bfloat16: 8 bits of a float32's 24, and all its exponents. */
export const bf16 = halves({
  name: 'bf16',
  dtype: 'BF16',
  wgsl,
  roundingError: 2 ** -8,
  smallestNumber: 2 ** -133,
  halfOf,
  randomWgsl,
  drawHalf,
  valueOf,
});
