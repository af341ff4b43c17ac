import type { Access } from '../plan/pieces.js';

/** How the lanes of a tensor are reached in WGSL. */
export interface LaneAccess {
  /** The bound array. */
  readonly array: string;
  /** Expression: where the tensor begins in it, in the units of the array. */
  readonly base: string;
  readonly access: Access;
  /** Expression: elements from one row to the next; of `strided` ones only. */
  readonly stride?: string;
}

/**
 * How the elements of a role (weights, gradients, a state slot) lie in memory. Its WGSL is about one lane of four elements,
 * `at: Place`: `at.lane` is the lane's number, `at.element` that of its first element, and `at.valid` how many of the four
 * there are.
 */
export interface Codec {
  readonly name: string;
  /** The format's name in safetensors. */
  readonly dtype: 'F32' | 'BF16';
  /** Functions that its WGSL calls. */
  readonly wgsl: string;
  /** Bytes of one element of many. */
  readonly leastByteLength: number;
  /** How far a stored number may be from the one that was given, as a share of it; 0 where all float32 are kept. */
  readonly roundingError: number;
  /** Bytes of so many elements: whole words. */
  byteLength(elementCount: number): number;
  /** WGSL type of the bound array's elements. */
  arrayType(access: Access): string;
  /** Byte length of one of those. */
  unitByteLength(access: Access): number;
  /** Statements that return the lane as `vec4<f32>`. */
  load(lanes: LaneAccess): string;
  /** Statements that store `value`, a `vec4<f32>`. */
  store(lanes: LaneAccess): string;
  /** The float32 that is loaded where this one was stored. */
  round(value: number): number;
  /** The word of memory that has this value in all its elements. */
  wordOf(value: number): number;
  /** Bytes of some values, whole words of them. */
  encode(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** The first so many values of some bytes. */
  decode(bytes: ArrayBuffer, elementCount: number): Float32Array<ArrayBuffer>;
}

/** The bytes of some elements: they begin with a word. */
export const bytesOf = (
  codec: Codec,
  { element, elementCount }: { readonly element: number; readonly elementCount: number },
): { offset: number; size: number } => ({
  offset: codec.byteLength(element),
  size: codec.byteLength(elementCount),
});

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
