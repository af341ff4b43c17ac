import wgsl from '../../shaders/codecs/f16.wgsl?raw';
import randomWgsl from '../../shaders/codecs/random-f16.wgsl?raw';
import { halves } from './halves.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The exponent and the significand's first digits, rounded; NaN stays NaN. */
function halfOf(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const rest = bits[0]! & 0x7fff_ffff;
  if (Number.isNaN(value)) return sign | 0x7e00 | ((rest >>> 13) & 0x3ff);
  // From the middle between the largest number and the next one on.
  if (rest >= 0x477f_f000) return sign | 0x7c00;
  const [digits, all] = digitsOf(rest);
  const dropped = Math.min(all, 25);
  return sign | ((digits + 2 ** (dropped - 1) - 1 + ((digits >>> dropped) & 1)) >>> dropped);
}

/** What is nearer to infinity than to the largest number, and what is not finite, is as it would be without. */
function drawHalf(value: number, word: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const rest = bits[0]! & 0x7fff_ffff;
  if (rest >= 0x477f_f000) return halfOf(value);
  const [digits, all] = digitsOf(rest);
  const dropped = Math.min(all, 31);
  const left = digits >>> Math.min(all - dropped, 31);
  return sign | Math.min((left + (word >>> (32 - dropped))) >>> dropped, 0x7bff);
}

/** The digits of a finite number, and how many are dropped of them. Below 2⁻¹⁴, those that count multiples of 2⁻²⁴ are kept. */
function digitsOf(rest: number): [digits: number, dropped: number] {
  if (rest >= 0x3880_0000) return [rest - 0x3800_0000, 13];
  return [(rest & 0x7f_ffff) | 0x80_0000, 126 - (rest >>> 23)];
}

function valueOf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const rest = half & 0x7fff;
  if (rest < 0x400) return (sign < 0 ? -1 : 1) * rest * 2 ** -24;
  bits[0] = sign | ((rest << 13) + (rest >= 0x7c00 ? 0x7000_0000 : 0x3800_0000));
  return float[0]!;
}

/** IEEE half precision: 11 digits, from 2⁻¹⁴ to 65504; below, multiples of 2⁻²⁴. */
export const f16 = halves({
  name: 'f16',
  dtype: 'F16',
  wgsl,
  roundingError: 2 ** -11,
  smallestNumber: 2 ** -24,
  overflowsFrom: 65520,
  halfOf,
  randomWgsl,
  drawHalf,
  valueOf,
});
