import { quote } from '../../errors.js';
import { refuse } from './refuse.js';

/**
 * The types of elements that the format knows, with the bits of one: those of `Dtype` in safetensors/src/tensor.rs of 0.8, in its
 * order, which is that of tensors in a file, last first.
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/**
 * What the elements of a tensor are, by the format's names: `F32`, `BF16`, `I64`, `BOOL`, … `C64` is a complex number of two
 * float32. Elements of `F4`, `F6_E2M3` and `F6_E3M2` are smaller than a byte and lie without gaps.
 */
export type SafetensorsDType = keyof typeof BITS;

/** All names of dtypes, in the order of the reference implementation. */
export const dtypes = Object.keys(BITS) as readonly SafetensorsDType[];

/** Typed arrays whose elements are of a dtype, by their tags; `Uint8Array` stands for the bytes of any. */
const ARRAYS: Partial<Record<SafetensorsDType, readonly string[]>> = {
  BOOL: ['Uint8ClampedArray'],
  U8: ['Uint8ClampedArray'],
  I8: ['Int8Array'],
  I16: ['Int16Array'],
  U16: ['Uint16Array'],
  F16: ['Float16Array', 'Uint16Array'],
  BF16: ['Uint16Array'],
  I32: ['Int32Array'],
  U32: ['Uint32Array'],
  F32: ['Float32Array'],
  C64: ['Float32Array'],
  F64: ['Float64Array'],
  I64: ['BigInt64Array'],
  U64: ['BigUint64Array'],
};

/** Names of the classes whose objects hold elements of a dtype: those made for it, and those of bytes. */
export function arraysFor(dtype: SafetensorsDType): readonly string[] {
  return [...(ARRAYS[dtype] ?? []), 'Uint8Array', 'DataView', 'ArrayBuffer'];
}

/** Whether a value is the name of a dtype. */
export function isDType(value: unknown): value is SafetensorsDType {
  return typeof value === 'string' && Object.hasOwn(BITS, value);
}

/** Where a dtype stands in a file: tensors of a larger place come first. */
export function placeOf(dtype: SafetensorsDType): number {
  return dtypes.indexOf(dtype);
}

/**
 * The bytes of a tensor.
 *
 * @param what the tensor, for the error.
 * @throws OptimizerError `invalid-safetensors` if they are more than can be counted (2⁵³ − 1 bits), or the last one is not full.
 */
export function byteLengthOf(dtype: SafetensorsDType, shape: readonly number[], what: string): number {
  let bitLength = 1;
  // Factor by factor, as the reference does: a 0 makes up for what stands behind it, not for what has overflowed before.
  for (const factor of [...shape, BITS[dtype]]) {
    bitLength *= factor;
    if (!Number.isSafeInteger(bitLength)) {
      refuse(`${what} has more elements than can be counted: ${dtype} ${quote(shape)}. Use a smaller shape.`);
    }
  }
  if (bitLength % 8 !== 0) {
    refuse(
      `${what} ends within a byte: ${dtype} ${quote(shape)} is ${bitLength} bits. Use a shape of whole bytes.`,
    );
  }
  return bitLength / 8;
}
