import wgsl from '../../shaders/codecs/blocks.wgsl?raw';
import type { Codec, LaneAccess } from './codec.js';

/** Elements that have one scale. */
const BLOCK = 64;
const LANES = BLOCK / 4;
const MIN_NORMAL = 2 ** -126;

const { abs, floor, fround, sign, sqrt } = Math;

/** Codes of numbers between −1 or 0, and 1; in float32, operation by operation as in `shaders/codecs/blocks.wgsl`. */
interface Scale {
  /** What is added to the codec's name, by which files say what their bytes mean: other levels, another name. */
  readonly suffix: string;
  /** The part of its functions' names that says which they are. */
  readonly kind: 'signed' | 'companded' | 'square' | 'fourth';
  /** Whether it is for state that is never below 0. */
  readonly isPositive: boolean;
  /** The largest code of so many bits. */
  readonly most: (bits: number) => number;
  /** The last argument of the function that decodes. */
  readonly decodedBy: (most: number) => string;
  /** Scales are at least two to this power, or 0: of the least one the smallest share, N⁻² or N⁻⁴, is a normal number. */
  readonly leastExponent: number;
  /** How far a value may be off, as a share of the largest. */
  readonly roundingError: (most: number) => number;
  readonly codeOf: (share: number, most: number) => number;
  readonly shareOf: (code: number, most: number) => number;
}

/** The nearest code of a root. */
const nearest = (root: number, most: number): number => floor(fround(fround(root * most) + 0.5));

const rootOf = (code: number, most: number): number => fround(code * fround(1 / most));

const square = (root: number): number => fround(root * root);

const signed: Scale = {
  suffix: '-signed',
  kind: 'signed',
  isPositive: false,
  most: (bits) => 2 ** (bits - 1) - 1,
  decodedBy: (most) => String(fround(1 / most)),
  leastExponent: -110,
  // dx/dr = 2r is 2 at most, and r is off by ½/N; a little more, as the slope is taken in between.
  roundingError: (most) => 1.001 / most,
  codeOf: (share, most) => sign(share) * nearest(fround(sqrt(abs(share))), most),
  shareOf: (code, most) => sign(code) * square(rootOf(code, most)),
};

const companded: Scale = {
  ...signed,
  suffix: '-companded',
  kind: 'companded',
  decodedBy: (most) => `${most}.0`,
  // dx/dc = 2/(2−|c|)² is 2 at most, and c is off by ½/N.
  codeOf: (share, most) => {
    const code = fround(fround(2 * most * share) / fround(1 + abs(share)));
    return floor(fround(code + (most + 1.5))) - (most + 1);
  },
  shareOf: (code, most) => fround(code / (2 * most - abs(code))),
};

const squares: Scale = {
  suffix: '-square',
  kind: 'square',
  isPositive: true,
  most: (bits) => 2 ** bits - 1,
  decodedBy: (most) => String(fround(1 / most)),
  leastExponent: -110,
  // What is above 0 may be raised to 1/N² besides, which is less.
  roundingError: (most) => 1.001 / most,
  codeOf: (share, most) => nearest(fround(sqrt(share)), most),
  shareOf: (code, most) => square(rootOf(code, most)),
};

const fourths: Scale = {
  ...squares,
  suffix: '-fourth',
  kind: 'fourth',
  leastExponent: -94,
  // dx/dr = 4r³ is 4 at most.
  roundingError: (most) => 2.003 / most,
  codeOf: (share, most) => nearest(fround(sqrt(fround(sqrt(share)))), most),
  shareOf: (code, most) => square(square(rootOf(code, most))),
};

/** Blocks of 64 elements with one scale: their codes, four or eight to a word, and the scale behind them. */
function blocksOf(bits: 4 | 8, scale: Scale): Codec {
  const { suffix, kind, isPositive, leastExponent, codeOf, shareOf } = scale;
  const most = scale.most(bits);
  const leastScale = 2 ** leastExponent;
  const codeWords = (BLOCK * bits) / 32;
  const wordCount = codeWords + 1;
  const lanesPerWord = LANES / codeWords;
  const find = ({ base, access }: LaneAccess): string => `  let lane_number = ${
    access === 'vector' ? `${base} + at.lane` : `(${base} + at.element) / 4u`
  };
  let within = lane_number % ${LANES}u;
  let first = ${wordCount}u * (lane_number / ${LANES}u);
`;
  const codesAt = (array: string, k: string): string =>
    `block_pack(select(block_${kind}_codes(kept_${array}[${k}], divisor, ${most}.0), vec4<u32>(0u), vec4<bool>(is_flat || ${k} > within)), ${bits}u)`;
  const word = (array: string): string =>
    lanesPerWord === 1
      ? codesAt(array, 'k')
      : `${codesAt(array, '2u * k')} | (${codesAt(array, '2u * k + 1u')} << 16u)`;
  return {
    name: `int${bits}${suffix}`,
    dtype: 'U8',
    wgsl,
    blockLength: BLOCK,
    blockByteLength: 4 * wordCount,
    isScaled: true,
    roundingError: scale.roundingError(most),
    ...(isPositive && { accepts: AT_LEAST_ZERO }),
    arrayType: () => 'u32',
    itemByteLength: () => 4,
    // The largest is known behind the last element, so that all of a block are kept until then.
    declare: (array) => `var<private> kept_${array}: array<lane, ${LANES}>;
var<private> largest_${array}: vec4<u32>;
`,
    load: (lanes) => {
      const { array } = lanes;
      const codes =
        lanesPerWord === 1
          ? `${array}[first + within]`
          : `${array}[first + within / 2u] >> (16u * (within % 2u))`;
      return `${find(lanes)}  return block_${kind}_values(${codes}, ${array}[first + ${codeWords}u], ${bits}u, ${scale.decodedBy(most)});`;
    },
    store: (lanes) => {
      const { array, elementCount } = lanes;
      return `${find(lanes)}  let is_valid = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(at.valid);
  let own = select(lane(0.0), value, is_valid);
  kept_${array}[within] = own;
  largest_${array} = max(
    select(largest_${array}, vec4<u32>(0u), vec4<bool>(within == 0u)),
    bitcast<vec4<u32>>(own) & vec4<u32>(0x7fffffffu),
  );
  if (within < ${LANES - 1}u && at.element + 4u < ${elementCount}) {
    return;
  }
  let scale = block_scale(largest_${array}, ${(leastExponent + 127) * 2 ** 23}u);
  let is_flat = block_is_flat(scale);
  let divisor = select(bitcast<f32>(scale), 1.0, is_flat);
  for (var k = 0u; k < ${codeWords}u; k++) {
    ${array}[first + k] = ${word(array)};
  }
  ${array}[first + ${codeWords}u] = scale;`;
    },
    encode: (values) => {
      const words = new Uint32Array(wordCount * Math.ceil(values.length / BLOCK));
      const scales = new Float32Array(words.buffer);
      for (let block = 0; block * BLOCK < values.length; block++) {
        const own = values.subarray(block * BLOCK, (block + 1) * BLOCK);
        const largest = largestOf(own, isPositive);
        const first = block * wordCount;
        scales[first + codeWords] = largest < leastScale ? 0 : largest;
        if (!(largest >= leastScale)) continue;
        for (const [k, value] of own.entries()) {
          const nearestCode = codeOf(fround(value / largest), most);
          const code = !isPositive ? nearestCode : value < MIN_NORMAL ? 0 : Math.max(nearestCode, 1);
          words[first + floor((k * bits) / 32)]! |= (code & (2 ** bits - 1)) << ((k * bits) % 32);
        }
      }
      return new Uint8Array(words.buffer);
    },
    decode: (bytes, elementCount) => {
      const words = new Int32Array(bytes);
      const scales = new Float32Array(bytes);
      return Float32Array.from({ length: elementCount }, (_, element) => {
        const first = wordCount * floor(element / BLOCK);
        const bit = (element % BLOCK) * bits;
        const atTop = words[first + floor(bit / 32)]! << (32 - bits - (bit % 32));
        const code = isPositive ? atTop >>> (32 - bits) : atTop >> (32 - bits);
        return fround(scales[first + codeWords]! * shareOf(code, most));
      });
    },
  };
}

/** What state that is never below 0 may be given. */
const AT_LEAST_ZERO: NonNullable<Codec['accepts']> = {
  test: (value) => !(value < 0),
  what: 'none below 0, where this state never is',
};

/** The largest magnitude of a block; what is below 0 and should not be counts as 0. */
function largestOf(values: Float32Array, isPositive: boolean): number {
  let largest = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) return NaN;
    largest = Math.max(largest, isPositive ? value : abs(value));
  }
  return largest;
}

/** 8 bits of a number, for state of either sign. */
export const int8 = blocksOf(8, signed);
/** 8 bits, for state that is never below 0. */
export const int8Positive = blocksOf(8, fourths);
export const int4 = blocksOf(4, companded);
export const int4Positive = blocksOf(4, squares);
