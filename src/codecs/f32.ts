import type { Codec, LaneAccess } from './codec.js';

/** Finds the words of a lane of rows that lie apart. */
const wordsOf = ({ base, stride }: LaneAccess): string => `  let cells = cells_of(at);
  let words = ${base} + cells.rows * ${stride} + cells.columns;`;

/**
 * How a lane of words is loaded: statements in front, and the expression of a vec4 of them. As a vec4 where a lane begins at a multiple of 16
 * bytes, else word by word.
 */
export function loadedLane(lanes: LaneAccess, type = 'f32'): [find: string, value: string] {
  const { array, base, access } = lanes;
  if (access === 'vector') return ['', `${array}[${base} + at.lane]`];
  if (access === 'strided') {
    const words = `vec4<${type}>(${array}[words.x], ${array}[words.y], ${array}[words.z], ${array}[words.w])`;
    return [`${wordsOf(lanes)}\n`, words];
  }
  return [
    `  let first = ${base} + at.element;
  let last = first + at.valid - 1u;
`,
    `vec4<${type}>(
    ${array}[first],
    ${array}[min(first + 1u, last)],
    ${array}[min(first + 2u, last)],
    ${array}[min(first + 3u, last)],
  )`,
  ];
}

/** Statements that store a lane of words, a vec4 by its name. */
export function storeLane(lanes: LaneAccess, value = 'value'): string {
  const { array, base, access } = lanes;
  if (access === 'vector') return `  ${array}[${base} + at.lane] = ${value};`;
  const words =
    access === 'strided'
      ? { find: wordsOf(lanes), of: ['words.x', 'words.y', 'words.z', 'words.w'] }
      : {
          find: `  let first = ${base} + at.element;`,
          of: ['first', 'first + 1u', 'first + 2u', 'first + 3u'],
        };
  return `${words.find}
  ${array}[${words.of[0]}] = ${value}.x;
  if (at.valid > 1u) {
    ${array}[${words.of[1]}] = ${value}.y;
  }
  if (at.valid > 2u) {
    ${array}[${words.of[2]}] = ${value}.z;
  }
  if (at.valid > 3u) {
    ${array}[${words.of[3]}] = ${value}.w;
  }`;
}

/** IEEE float32, one element per word. */
export const f32: Codec = {
  name: 'f32',
  dtype: 'F32',
  wgsl: '',
  blockLength: 1,
  blockByteLength: 4,
  isScaled: false,
  roundingError: 0,
  arrayType: (access) => (access === 'vector' ? 'vec4<f32>' : 'f32'),
  itemByteLength: (access) => (access === 'vector' ? 16 : 4),
  load: (lanes) => {
    const [find, value] = loadedLane(lanes);
    return `${find}  return ${value};`;
  },
  store: (lanes) => storeLane(lanes),
  encode: (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  decode: (bytes, elementCount) => new Float32Array(bytes, 0, elementCount),
};
