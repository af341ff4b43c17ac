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
  /** Bytes of so many elements. */
  byteLength(elementCount: number): number;
  /** WGSL type of the bound array's elements. */
  arrayType(access: Access): string;
  /** Byte length of one of those. */
  unitByteLength(access: Access): number;
  /** Statements that return the lane as `vec4<f32>`. */
  load(lanes: LaneAccess): string;
  /** Statements that store `value`, a `vec4<f32>`. */
  store(lanes: LaneAccess): string;
  /** Bytes of some values. */
  encode(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** The values of some bytes. */
  decode(bytes: ArrayBuffer): Float32Array<ArrayBuffer>;
}

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
  let elements = at.element + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(at.valid - 1u));
  let rows = elements / ROW_LENGTH;
  return Cells(rows, elements - rows * ROW_LENGTH);
}
`;
