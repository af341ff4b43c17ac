import { VECTOR, alignDown } from '../../kernel/alignment.js';
import type { Piece, PlanLimits } from './planned.js';

/** What the offset of a storage binding is a multiple of: as the device demands, and a vec4. */
export function bindingAlignment({ minStorageBufferOffsetAlignment }: PlanLimits): number {
  return Math.max(minStorageBufferOffsetAlignment, VECTOR);
}

/** The binding that reaches a range: it begins at the last offset before it that the device allows. */
export function bindRange(
  { byteOffset, byteLength }: Omit<Piece<unknown>, 'buffer'>,
  alignment: number,
): { offset: number; size: number } {
  const offset = alignDown(byteOffset, alignment);
  return { offset, size: byteOffset + byteLength - offset };
}
