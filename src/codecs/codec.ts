import type { Access } from '../plan/pieces.js';

/** How four elements of a lane are reached in WGSL. */
export interface LaneAccess {
  /** The bound array. */
  readonly array: string;
  /** Expression: where the tensor begins in it, in the units of the array. */
  readonly base: string;
  readonly access: Access;
}

/**
 * How the elements of a role (weights, gradients, a state slot) lie in memory. In its WGSL, `lane` is the number of a lane,
 * `element` that of its first element, and `valid` how many of its four elements there are.
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
  load(at: LaneAccess): string;
  /** Statements that store `value`, a `vec4<f32>`. */
  store(at: LaneAccess): string;
  /** Bytes of some values. */
  encode(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** The values of some bytes. */
  decode(bytes: ArrayBuffer): Float32Array<ArrayBuffer>;
}
