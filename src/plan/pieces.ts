import type { Codec } from '../codecs/codec.js';
import { alignUp } from '../kernel/alignment.js';

/** Elements that lie behind one another in some buffer; generic over the buffer, so that planning needs no GPU. */
export interface Piece<B> {
  readonly buffer: B;
  /** Byte of the first element. */
  readonly byteOffset: number;
  readonly elementCount: number;
  /** How its elements lie in memory, if not as float32. It begins with a word of 4 bytes, but for rows that are {@link isWoven}. */
  readonly codec?: Codec;
  /** Where its elements are rows that lie apart; it holds whole ones then. */
  readonly rows?: RowSpacing;
}

/** Rows that lie apart, as a column of an array of structs does. */
export interface RowSpacing {
  /** Elements per row. */
  readonly length: number;
  /** Bytes from one row to the next: more than a row has. */
  readonly byteStride: number;
}

/** Where elements' state lies: the same place in the buffers (slabs) of every slot. */
export interface StatePiece {
  readonly slab: number;
  /** First element, counted from the beginning of the slab. */
  readonly element: number;
  readonly elementCount: number;
  /** Whether what is left of its last lane of four is nobody else's. */
  readonly isPadded: boolean;
}

/** The device limits that decide how tensors are cut. Byte lengths but for the last two. */
export interface PlanLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

/** What planning must know of a buffer. */
export interface BufferFacts<B> {
  /**
   * Behind an element that ends at a byte lie fewer bytes than this that are nobody's, up to the next multiple of it; 0 where
   * every byte is somebody's, as within a tensor.
   */
  readonly paddingOf: (buffer: B, end: number) => number;
}

/** A binding of a buffer; its offset is aligned as the device demands. */
export interface Binding<B> {
  readonly buffer: B;
  readonly offset: number;
  readonly size: number;
}

/** What is done to weights behind the update: limits, or each row of them divided by its norm. */
export type WeightConstraint = { readonly min?: number; readonly max?: number } | 'unit-rows';

/** A tensor as planning sees it. */
export interface PlanTensor<B> {
  /** Its number among all that the optimizer ever had; it stays. */
  readonly index: number;
  /** The row of scalars that it is stepped with. */
  readonly row: number;
  readonly data: readonly Piece<B>[];
  /** As many elements as `data`; of a sparse gradient, a row per entry of the list `rows`. None where there is no gradient. */
  readonly grad?: readonly Piece<B>[];
  /** Whether `grad` is a copy in a buffer of ours where others lie, too, so that a dispatch reaches all by one binding. */
  readonly isGathered?: boolean;
  /** If only the rows of a list are stepped. */
  readonly rows?: NamedRows<B>;
  /** Elements per row, where kernels must know; see {@link isByRows}. It is cut between rows only. */
  readonly rowLength?: number;
  /** A number per row: rows at 0 are left alone. With `rowLength`. */
  readonly mask?: Piece<B>;
  /** Per column, a factor on the learning rate. With `rowLength`. */
  readonly columns?: readonly number[];
  readonly constraint?: WeightConstraint;
  /** Lengths of its axes, if they were given. */
  readonly shape?: readonly number[];
  /** Where its state lies, in order; absent before it has a place. */
  readonly state?: readonly StatePiece[];
}

/** Whether kernels must know the rows of a tensor: of others they are of no interest. */
export const isByRows = ({
  data,
  grad = [],
  mask,
  columns,
  constraint,
}: Omit<PlanTensor<unknown>, 'index' | 'row'>): boolean =>
  Boolean(mask || columns || constraint === 'unit-rows') || [...data, ...grad].some(({ rows }) => rows);

/** The list of the rows that a sparse gradient names: a u32 per entry, NO_ROW where it names none. */
export interface NamedRows<B> {
  readonly buffer: B;
  readonly entryCount: number;
  /** Elements per row. */
  readonly rowLength: number;
}

/** Bytes of a float32: of an element, unless something else is said. */
export const ELEMENT_BYTE_LENGTH = 4;

/** Bytes of a word: what kernels read and write at once. */
const WORD_BYTE_LENGTH = 4;

/** Elements of some pieces. */
export const countElements = (pieces: readonly { readonly elementCount: number }[]): number =>
  pieces.reduce((sum, { elementCount }) => sum + elementCount, 0);

/** Bytes of an element of a piece. */
export const elementByteLengthOf = ({ codec }: Pick<Piece<unknown>, 'codec'>): number =>
  codec ? codec.blockByteLength / codec.blockLength : ELEMENT_BYTE_LENGTH;

/** The byte behind the last element of a piece: where elements share words, it may be within one. */
export function endOf(piece: Omit<Piece<unknown>, 'buffer'>): number {
  const { byteOffset, elementCount, rows } = piece;
  const size = elementByteLengthOf(piece);
  if (!rows) return byteOffset + size * elementCount;
  const lastRow = byteOffset + rows.byteStride * (elementCount / rows.length - 1);
  return lastRow + size * rows.length;
}

/** The byte behind the last word of a piece: all that is bound, and that nobody else may have. */
export const wordsEndOf = (piece: Omit<Piece<unknown>, 'buffer'>): number =>
  alignUp(endOf(piece), WORD_BYTE_LENGTH);

/** Whether rows begin or end within words, so that these are in part somebody else's. */
export function isWoven(piece: Omit<Piece<unknown>, 'buffer'>): boolean {
  const { rows, byteOffset } = piece;
  if (!rows) return false;
  return [byteOffset, rows.byteStride, elementByteLengthOf(piece) * rows.length].some(
    (bytes) => bytes % WORD_BYTE_LENGTH !== 0,
  );
}

/** A piece as words, whatever lies in them: elements of 4 bytes. Its rows, if they lie apart, are of whole words. */
export function asWords<B>({ codec, ...piece }: Piece<B>): Piece<B> {
  if (!codec) return piece;
  const { byteOffset, rows, elementCount } = piece;
  const share = elementByteLengthOf({ codec }) / WORD_BYTE_LENGTH;
  if (rows)
    return { ...piece, elementCount: elementCount * share, rows: { ...rows, length: rows.length * share } };
  const end = wordsEndOf({ byteOffset, elementCount, codec });
  return { ...piece, elementCount: (end - byteOffset) / WORD_BYTE_LENGTH };
}

/** What of a piece is whole words, and its last element where that shares a word with something else. */
export function cutAtWords<B>(piece: Piece<B>): Record<'whole' | 'rest', readonly Piece<B>[]> {
  const { codec, elementCount, byteOffset } = piece;
  const count = codec ? elementCount % codec.blockLength : 0;
  if (count === 0) return { whole: [piece], rest: [] };
  const first = elementCount - count;
  return {
    whole: first > 0 ? [{ ...piece, elementCount: first }] : [],
    rest: [{ ...piece, byteOffset: byteOffset + elementByteLengthOf(piece) * first, elementCount: count }],
  };
}

/** Elements from one row of a piece to the next, where they lie apart. */
export const strideOf = (piece: Pick<Piece<unknown>, 'rows' | 'codec'>): number | undefined =>
  piece.rows && piece.rows.byteStride / elementByteLengthOf(piece);

/** Whether two lists of pieces are the same elements of the same buffers. */
export function areSamePieces<B>(a: readonly Piece<B>[], b: readonly Piece<B>[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // By index: thousands are compared at every step of some frameworks.
  for (let k = 0; k < a.length; k++) {
    const [one, other] = [a[k]!, b[k]!];
    if (one.buffer !== other.buffer || one.byteOffset !== other.byteOffset) return false;
    if (one.elementCount !== other.elementCount) return false;
    if (one.codec !== other.codec || one.rows?.byteStride !== other.rows?.byteStride) return false;
  }
  return true;
}
