/** Bytes of a buffer; offset and length are multiples of 4. */
export interface ByteRange {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export const totalByteLength = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, { byteLength }) => sum + byteLength, 0);
