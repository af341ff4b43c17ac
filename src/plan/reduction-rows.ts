import { type TableRows, bindPiece, skipElements } from './cut.js';
import { type Binding, ELEMENT_BYTE_LENGTH, type Piece, type PlanTensor, strideOf } from './pieces.js';

/** Rows of a part. */
export interface ReductionTable<B> {
  readonly rowLength: number;
  /** Elements from one row to the next, where they lie apart. */
  readonly stride?: number;
  /** A number per row, if rows may be left alone, and the word of the binding that is the first. */
  readonly mask?: Binding<B>;
  readonly maskBase: number;
}

/**
 * The rows of a piece of a gradient, if they lie apart or may be left alone; others are read as any gradient.
 *
 * @param start the element of the tensor at which the piece begins.
 */
export function tableOfPiece<B>(
  { rowLength, mask }: PlanTensor<B>,
  { rows, elementCount }: Piece<B>,
  start: number,
): TableRows<B> | undefined {
  if (rowLength === undefined || !(rows || mask)) return undefined;
  if (!mask) return { rowLength };
  const own = { ...skipElements(mask, start / rowLength), elementCount: elementCount / rowLength };
  return { rowLength, mask: own };
}

/** How a dispatch reaches the rows of a part. */
export function tableOf<B>(
  piece: Piece<B>,
  { rowLength, mask }: TableRows<B>,
  alignment: number,
): ReductionTable<B> {
  const binding = mask && bindPiece(mask, alignment);
  return {
    rowLength,
    ...(piece.rows && { stride: strideOf(piece)! }),
    ...(binding && { mask: binding }),
    maskBase: binding ? (mask.byteOffset - binding.offset) / ELEMENT_BYTE_LENGTH : 0,
  };
}
