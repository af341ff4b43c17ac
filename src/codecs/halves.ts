import type { Codec, LaneAccess } from './codec.js';

/** A format of 2 bytes. */
export interface HalfFormat extends Pick<
  Codec,
  'name' | 'dtype' | 'wgsl' | 'roundingError' | 'overflowsFrom'
> {
  readonly smallestNumber: number;
  /** The bits of the nearest number, of two that are equally near the even one; the twin of `pack_<name>` in WGSL. */
  readonly halfOf: (value: number) => number;
  /** WGSL of `draw_<name>`, and its twin: the bits of the number below or above, as a random word says. */
  readonly randomWgsl: string;
  readonly drawHalf: (value: number, word: number) => number;
  /** The number that has these bits. */
  readonly valueOf: (half: number) => number;
}

/** Finds the first word of a lane. It begins with one, and ends with one unless it is a tensor's last. */
const firstWord = (base: string): string => `  let first = (${base} + at.element) >> 1u;`;

/** Finds the words of a lane of rows that lie apart: rows are of even length, so that neighbours share a word as they do there. */
const wordsOfPairs = ({ base, stride }: LaneAccess): string => `  let cells = cells_of(at);
  let words = (${base} + cells.rows * ${stride} + cells.columns) >> vec4<u32>(1u);`;

/** Finds the words of a lane of elements that lie anywhere, and where in them. */
const placesOfHalves = ({ base, stride }: LaneAccess): string => `  let cells = cells_of(at);
  let places = ${base} + cells.rows * ${stride} + cells.columns;
  let words = places >> vec4<u32>(1u);
  let shifts = (places & vec4<u32>(1u)) << vec4<u32>(4u);`;

const COMPONENTS = ['x', 'y', 'z', 'w'] as const;

/** The expression of such a lane's words. */
function wordsOfHalves({ array, isAtomic }: LaneAccess): string {
  const items = COMPONENTS.map((k) => `${array}[words.${k}]`);
  return `vec4<u32>(${items.map((item) => (isAtomic ? `atomicLoad(&${item})` : item)).join(', ')})`;
}

/** What shares a word with an element is somebody else's, whoever stores it at the same time: an element's bits are changed by themselves. */
function storeHalves(lanes: LaneAccess, packed: string): string {
  const stores = COMPONENTS.map((k, place) => {
    const store = `atomicXor(&${lanes.array}[words.${k}], changed.${k});`;
    return place === 0 ? `  ${store}` : `  if (at.valid > ${place}u) {\n    ${store}\n  }`;
  });
  return `${placesOfHalves(lanes)}
  let packed = ${packed};
  let halves = vec4<u32>(packed.x, packed.x >> 16u, packed.y, packed.y >> 16u);
  let before = ${wordsOfHalves(lanes)} >> shifts;
  let changed = ((halves ^ before) & vec4<u32>(0xffffu)) << shifts;
${stores.join('\n')}`;
}

/** Numbers of 2 bytes, two per word, the first one in its low half. */
export function halves(format: HalfFormat): Codec {
  const { name, dtype, wgsl, roundingError, smallestNumber, halfOf, valueOf, randomWgsl, drawHalf } = format;
  const { overflowsFrom } = format;
  const words = ({ array, base, access, ...lanes }: LaneAccess): { find: string; value: string } => {
    if (access === 'vector') return { find: '', value: `${array}[${base} + at.lane]` };
    if (access === 'strided') {
      const find = wordsOfPairs({ array, base, access, ...lanes });
      return { find: `${find}\n`, value: `vec2<u32>(${array}[words.x], ${array}[words.z])` };
    }
    if (access === 'woven') {
      const find = placesOfHalves({ array, base, access, ...lanes });
      const loaded = wordsOfHalves({ array, base, access, ...lanes });
      return { find: `${find}\n`, value: `join_halves_${name}((${loaded} >> shifts) & vec4<u32>(0xffffu))` };
    }
    const second = `${array}[first + select(0u, 1u, at.valid > 2u)]`;
    return { find: `${firstWord(base)}\n`, value: `vec2<u32>(${array}[first], ${second})` };
  };
  const load = (lanes: LaneAccess, unpack: string): string => {
    const { find, value } = words(lanes);
    return `${find}  return ${unpack}(${value});`;
  };
  return {
    name,
    dtype,
    wgsl,
    blockLength: 2,
    blockByteLength: 4,
    isScaled: false,
    roundingError,
    smallestNumber,
    ...(overflowsFrom !== undefined && { overflowsFrom }),
    arrayType: (access) => (access === 'vector' ? 'vec2<u32>' : 'u32'),
    itemByteLength: (access) => (access === 'vector' ? 8 : 4),
    load: (lanes) => load(lanes, `unpack_${name}`),
    loadBits: (lanes) => load(lanes, `bits_of_${name}`),
    store: (lanes) => {
      const { array, base, access } = lanes;
      const { random } = lanes;
      const packed = random === undefined ? `pack_${name}(value)` : `draw_${name}(value, ${random})`;
      if (access === 'vector') return `  ${array}[${base} + at.lane] = ${packed};`;
      if (access === 'woven') return storeHalves(lanes, packed);
      if (access === 'strided') {
        return `${wordsOfPairs(lanes)}
  let packed = ${packed};
  ${array}[words.x] = packed.x;
  if (at.valid > 2u) {
    ${array}[words.z] = packed.y;
  }`;
      }
      return `${firstWord(base)}
  let words = ${packed};
  var last = first;
  var ending = words.x;
  if (at.valid > 2u) {
    ${array}[first] = words.x;
    last = first + 1u;
    ending = words.y;
  }
  // What shares the last word with it stays.
  if ((at.valid & 1u) == 1u) {
    ending = (ending & 0xffffu) | (${array}[last] & 0xffff0000u);
  }
  ${array}[last] = ending;`;
    },
    round: (value) => valueOf(halfOf(value)),
    random: { wgsl: randomWgsl, round: (value, word) => valueOf(drawHalf(value, word)) },
    encode: (values) => {
      const all = new Uint16Array(2 * Math.ceil(values.length / 2));
      for (let k = 0; k < values.length; k++) all[k] = halfOf(values[k]!);
      return new Uint8Array(all.buffer);
    },
    decode: (bytes, elementCount) => Float32Array.from(new Uint16Array(bytes, 0, elementCount), valueOf),
  };
}
