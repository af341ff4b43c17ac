/** Elements that lie behind one another in some buffer; generic over the buffer, so that planning needs no GPU. */
export interface Piece<B> {
  readonly buffer: B;
  /** Byte of the first element. */
  readonly byteOffset: number;
  readonly elementCount: number;
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

/**
 * How four neighbouring elements are accessed: as an aligned vec4, or one by one, the last lane masked; `strided` are those
 * of rows that lie apart.
 */
export type Access = 'vector' | 'gather' | 'strided';

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

/** Bytes of an element of weights and gradients, and of state that is float32. */
export const ELEMENT_BYTE_LENGTH = 4;

/** Elements of a lane. */
export const LANE = 4;

/** Elements of some pieces. */
export const countElements = (pieces: readonly { readonly elementCount: number }[]): number =>
  pieces.reduce((sum, { elementCount }) => sum + elementCount, 0);

/** The byte behind the last element of a piece. */
export function endOf({ byteOffset, elementCount, rows }: Omit<Piece<unknown>, 'buffer'>): number {
  if (!rows) return byteOffset + ELEMENT_BYTE_LENGTH * elementCount;
  const lastRow = byteOffset + rows.byteStride * (elementCount / rows.length - 1);
  return lastRow + ELEMENT_BYTE_LENGTH * rows.length;
}

/** Whether two lists of pieces are the same elements of the same buffers. */
export function areSamePieces<B>(a: readonly Piece<B>[], b: readonly Piece<B>[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // By index: thousands are compared at every step of some frameworks.
  for (let k = 0; k < a.length; k++) {
    const [one, other] = [a[k]!, b[k]!];
    if (one.buffer !== other.buffer || one.byteOffset !== other.byteOffset) return false;
    if (one.elementCount !== other.elementCount) return false;
    if (one.rows?.byteStride !== other.rows?.byteStride) return false;
  }
  return true;
}
