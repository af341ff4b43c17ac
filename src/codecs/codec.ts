/** Elements of a lane. */
export const LANE = 4;

/**
 * How four neighbouring elements are accessed: as an aligned vec4, or one by one, the last lane masked; `strided` are those
 * of rows that lie apart, and `woven` those of them that have no words of their own: elements of 2 bytes, each anywhere.
 */
export type Access = 'vector' | 'gather' | 'strided' | 'woven';

/** Whether elements are found by their rows and columns. */
export const isByCells = (access: Access): boolean => access === 'strided' || access === 'woven';

/** How the lanes of a tensor are reached in WGSL. */
export interface LaneAccess {
  /** The bound array. */
  readonly array: string;
  /** Expression: where the tensor begins in it, in the items of the array. */
  readonly base: string;
  readonly access: Access;
  /** Expression: elements from one row to the next; of `strided` and `woven` ones only. */
  readonly stride?: string;
  /** Expression: four random words, a `vec4<u32>`, that say how numbers are rounded which are stored; absent: to the nearest. */
  readonly random?: string;
  /** Whether the array is one of atomics: `woven` ones are stored in such. */
  readonly isAtomic?: boolean;
}

/** The same, where lanes are stored, too: each by one invocation, and those of a block in their order by the same one. */
export interface StoreAccess extends LaneAccess {
  /** Expression: elements of the tensor. */
  readonly elementCount?: string;
}

/**
 * How the elements of a role (weights, gradients, a state slot) lie in memory. Its WGSL is about one lane of four elements,
 * `at: Place`: `at.lane` is the lane's number, `at.element` that of its first element, and `at.valid` how many of the four
 * there are.
 */
export interface Codec {
  /** It says how to read what was kept: those of different names differ in bits. */
  readonly name: string;
  /** The format's name in safetensors: `U8` for bytes that it has no name for. */
  readonly dtype: 'F32' | 'F16' | 'BF16' | 'U8';
  /** Functions that its WGSL calls. */
  readonly wgsl: string;
  /** Elements that lie together in whole words, which one invocation stores. */
  readonly blockLength: number;
  /** Bytes of a block: a multiple of 4. */
  readonly blockByteLength: number;
  /** Whether the elements of a block are rounded together, by the largest of them. */
  readonly isScaled: boolean;
  /** How far a stored number may be from the one that was given, as a share of it, or of the largest of its block; 0 where all float32 are kept. */
  readonly roundingError: number;
  /** What the least numbers are multiples of, where they are coarser than their share of the error says; default 0. */
  readonly smallestNumber?: number;
  /** The numbers that may be stored, where those are not all. */
  readonly accepts?: { test(value: number): boolean; readonly what: string };
  /** WGSL type of the bound array's items. */
  arrayType(access: Access): string;
  /** Byte length of one of those. */
  itemByteLength(access: Access): number;
  /** Declarations that `store` needs of an array, if it does. */
  declare?(array: string): string;
  /** Statements that return the lane as `vec4<f32>`. */
  load(lanes: LaneAccess): string;
  /** Statements that return the bits of the lane as `vec4<u32>`: numbers may be NaN. */
  loadBits?(lanes: LaneAccess): string;
  /** Expression: a lane of float32, from one of words as they lie there; of codecs of whole words. */
  convert?(words: string): string;
  /** Statements that store `value`, a `vec4<f32>`. */
  store(lanes: StoreAccess): string;
  /** The least finite magnitude that becomes infinite when it is rounded to the nearest, where such overflows of weights are counted. */
  readonly overflowsFrom?: number;
  /** The float32 that is loaded where this one was stored; of codecs of weights that keep less. */
  round?(value: number): number;
  /** Stochastic rounding, of codecs that have it: by a random word. */
  readonly random?: {
    /** Functions that `store` calls for it, beside `wgsl`. */
    readonly wgsl: string;
    round(value: number, word: number): number;
  };
  /** Bytes of some values, whole blocks of them. */
  encode(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** The first so many values of some bytes. Encoded again, they are these bytes. */
  decode(bytes: ArrayBuffer, elementCount: number): Float32Array<ArrayBuffer>;
}

type Sizes = Pick<Codec, 'blockLength' | 'blockByteLength' | 'isScaled'>;

/** Bytes of so many elements in memory: whole blocks. */
export const byteLengthOf = ({ blockLength, blockByteLength }: Sizes, elementCount: number): number =>
  blockByteLength * Math.ceil(elementCount / blockLength);

/** Bytes of so many elements in a file, and as they are counted: no padding but that of blocks that are rounded together. */
export const valuesByteLength = (codec: Sizes, elementCount: number): number =>
  codec.isScaled
    ? byteLengthOf(codec, elementCount)
    : (codec.blockByteLength / codec.blockLength) * elementCount;

/** The bytes of some elements: they begin with a block. */
export const bytesOf = (
  codec: Codec,
  { element, elementCount }: { readonly element: number; readonly elementCount: number },
): { offset: number; size: number } => ({
  offset: byteLengthOf(codec, element),
  size: byteLengthOf(codec, elementCount),
});

/** The values that are loaded where these were stored; the same array where all are kept as they are. */
export const rounded = (codec: Codec, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  codec.roundingError === 0 ? values : codec.decode(codec.encode(values).buffer, values.length);

/** What is wrong with the first of some values that may not be stored, if any is. */
export function misfitOf({ accepts }: Codec, values: ArrayLike<number>): string | undefined {
  if (!accepts) return undefined;
  for (let k = 0; k < values.length; k++) {
    if (!accepts.test(values[k]!)) return `value ${k} is ${values[k]}; give ${accepts.what}`;
  }
  return undefined;
}

/** The words of a block that has one value in all its elements. */
export const blockOf = (codec: Codec, value: number): Uint32Array<ArrayBuffer> =>
  new Uint32Array(codec.encode(new Float32Array(codec.blockLength).fill(value)).buffer);

/** What plans must know of all that is kept of a tensor's elements. */
export interface StateForm {
  /** Elements that one invocation stores. */
  readonly blockLength: number;
  /** Each tensor begins at a multiple of so many elements, and so does what it is cut into. */
  readonly cutLength: number;
  /** Whether what lies between two tensors would be rounded together with their elements. */
  readonly isScaled: boolean;
  /** The elements that a binding begins at a multiple of, whatever slot it is. */
  readonly alignment: (byteAlignment: number) => number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** @param codecs of the slots that there are. Lengths of blocks are powers of two, so that the largest multiple is a common one. */
export function stateFormOf(codecs: readonly Codec[]): StateForm {
  const blockLength = Math.max(...codecs.map((codec) => codec.blockLength));
  return {
    blockLength,
    cutLength: blockLength > 1 ? Math.max(LANE, blockLength) : 1,
    isScaled: codecs.some(({ isScaled }) => isScaled),
    alignment: (byteAlignment) =>
      Math.max(
        ...codecs.map(
          (codec) => (codec.blockLength * byteAlignment) / gcd(byteAlignment, codec.blockByteLength),
        ),
      ),
  };
}

/** The functions that some codecs call, each once. */
export const composeCodecs = (codecs: readonly Codec[]): string =>
  [...new Set(codecs.map(({ wgsl }) => wgsl))].join('\n');

/** The WGSL struct that says which lane is meant. */
export const PLACE_WGSL = `struct Place {
  lane: u32,
  element: u32,
  valid: u32,
}
`;

/** WGSL that says in which row and column the four elements of a lane are; behind a lane's last one, that one again. */
export const CELLS_WGSL = `override ROW_LENGTH: u32 = 1u;

struct Cells {
  rows: vec4<u32>,
  columns: vec4<u32>,
}

fn cells_of(at: Place) -> Cells {
  // One division: from the first element on, a lane goes over at most three ends of rows.
  let row = at.element / ROW_LENGTH;
  let column = at.element - row * ROW_LENGTH;
  let columns = column + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(at.valid - 1u));
  let one = vec4<u32>(1u);
  let ends =
    select(vec4<u32>(0u), one, columns >= vec4<u32>(ROW_LENGTH)) +
    select(vec4<u32>(0u), one, columns >= vec4<u32>(2u * ROW_LENGTH)) +
    select(vec4<u32>(0u), one, columns >= vec4<u32>(3u * ROW_LENGTH));
  return Cells(row + ends, columns - ends * ROW_LENGTH);
}
`;
