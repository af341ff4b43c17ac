/** Bytes of a vec4. */
export const VECTOR = 16;

/** The largest multiple of `alignment` up to a value. */
export const alignDown = (value: number, alignment: number): number => value - (value % alignment);

/** The smallest multiple of `alignment` from an integer on. */
export const alignUp = (value: number, alignment: number): number =>
  alignDown(value + alignment - 1, alignment);
