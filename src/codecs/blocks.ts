import wgsl from '../../shaders/codecs/blocks.wgsl?raw';
import type { Codec, LaneAccess } from './codec.js';

/** Elements that have one scale. */
const BLOCK = 64;
const LANES = BLOCK / 4;
/** Scales are at least this, or 0; see `shaders/codecs/blocks.wgsl`. */
const LEAST_SCALE = 2 ** -110;
const MIN_NORMAL = 2 ** -126;

const { fround } = Math;

/** Codes of numbers between −1 or 0, and 1; in float32, operation by operation as in `shaders/codecs/blocks.wgsl`. */
interface Scale {
  /** What is added to the codec's name. */
  readonly suffix: string;
  /** The part of its functions' names that says which they are. */
  readonly kind: 'signed' | 'root';
  /** The largest code of so many bits. */
  readonly most: (bits: number) => number;
  /** The last argument of the function that decodes. */
  readonly decoded: (most: number) => string;
  /** How far a value may be off, as a share of the largest. */
  readonly roundingError: (most: number) => number;
  /** Of what it takes, if it does not take all. */
  readonly accepts?: Codec['accepts'];
  readonly codeOf: (value: number, scale: number, most: number) => number;
  readonly valueOf: (code: number, scale: number, most: number) => number;
}

const signed: Scale = {
  suffix: '',
  kind: 'signed',
  most: (bits) => 2 ** (bits - 1) - 1,
  decoded: (most) => `${most}.0`,
  // dx/dc = 2/(2−|c|)² is 2 at most, and c is off by ½/N; a little more, as the slope is taken in between.
  roundingError: (most) => 1.001 / most,
  codeOf: (value, scale, most) => {
    const x = fround(value / scale);
    const code = fround(fround(2 * most * x) / fround(1 + Math.abs(x)));
    return Math.floor(fround(code + (most + 1.5))) - (most + 1);
  },
  valueOf: (code, scale, most) => fround(scale * fround(code / (2 * most - Math.abs(code)))),
};

const root: Scale = {
  suffix: '-root',
  kind: 'root',
  most: (bits) => 2 ** bits - 1,
  decoded: (most) => String(fround(1 / most)),
  // dx/dr = 2r is 2 at most, and r is off by ½/N; what is above 0 may be raised to 1/N² besides, which is less.
  roundingError: (most) => 1.001 / most,
  accepts: { test: (value) => !(value < 0), what: 'none below 0, where this state never is' },
  codeOf: (value, scale, most) => {
    if (value < MIN_NORMAL) return 0;
    const x = fround(value / scale);
    return Math.max(Math.floor(fround(fround(fround(Math.sqrt(x)) * most) + 0.5)), 1);
  },
  valueOf: (code, scale, most) => {
    // 1 for the largest code.
    const share = fround(code * fround(1 / most));
    return fround(scale * fround(share * share));
  },
};

/** Blocks of 64 elements with one scale: their codes, four or eight to a word, and the scale behind them. */
function blocksOf(
  bits: 4 | 8,
  { suffix, kind, most: mostOf, decoded, roundingError, accepts, codeOf, valueOf }: Scale,
): Codec {
  const most = mostOf(bits);
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
    roundingError: roundingError(most),
    ...(accepts && { accepts }),
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
      return `${find(lanes)}  return block_${kind}_values(${codes}, ${array}[first + ${codeWords}u], ${bits}u, ${decoded(most)});`;
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
  let scale = block_scale(largest_${array});
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
        const scale = scaleOf(own, kind === 'root');
        const first = block * wordCount;
        scales[first + codeWords] = scale;
        if (!(scale > 0)) continue;
        for (const [k, value] of own.entries()) {
          const code = codeOf(value, scale, most) & (2 ** bits - 1);
          words[first + Math.floor((k * bits) / 32)]! |= code << ((k * bits) % 32);
        }
      }
      return new Uint8Array(words.buffer);
    },
    decode: (bytes, elementCount) => {
      const words = new Int32Array(bytes);
      const scales = new Float32Array(bytes);
      return Float32Array.from({ length: elementCount }, (_, element) => {
        const first = wordCount * Math.floor(element / BLOCK);
        const bit = (element % BLOCK) * bits;
        const atTop = words[first + Math.floor(bit / 32)]! << (32 - bits - (bit % 32));
        const code = kind === 'root' ? atTop >>> (32 - bits) : atTop >> (32 - bits);
        return valueOf(code, scales[first + codeWords]!, most);
      });
    },
  };
}

/** The largest magnitude of a block, as it is kept; what is below 0 and should not be counts as 0. */
function scaleOf(values: Float32Array, isPositive: boolean): number {
  let largest = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) return NaN;
    largest = Math.max(largest, isPositive ? value : Math.abs(value));
  }
  return largest < LEAST_SCALE ? 0 : largest;
}

/** 8 bits of a number, for state of either sign. */
export const int8 = blocksOf(8, signed);
/** 8 bits, for state that is never below 0. */
export const int8Root = blocksOf(8, root);
export const int4 = blocksOf(4, signed);
export const int4Root = blocksOf(4, root);
