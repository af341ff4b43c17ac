import { OptimizerError } from '../errors.js';
import { alignDown, alignUp } from '../kernel/alignment.js';
import {
  ELEMENT_BYTE_LENGTH,
  type Binding,
  type Piece,
  type PlanLimits,
  type StatePiece,
  elementByteLengthOf,
  endOf,
  wordsEndOf,
} from './pieces.js';

/** A stretch of a run that bindings can cover: as many elements of weights, gradients and state. */
export interface Chunk<B> {
  readonly data: Piece<B>;
  readonly grad?: Piece<B>;
  /** Absent before the state has a place. */
  readonly state?: StatePiece;
  /** What must be known of its rows, which are whole ones then. */
  readonly table?: TableRows<B>;
}

/** Rows of a tensor that is cut between rows only. */
export interface TableRows<B> {
  readonly rowLength: number;
  /** A number per row. */
  readonly mask?: Piece<B>;
}

/** What decides where tensors are cut. */
export interface CutFacts {
  readonly limits: PlanLimits;
  /** Elements at whose multiples a tensor may be cut for a binding; default 1. */
  readonly cutLength?: number;
  /** Elements at whose multiples a binding of state may begin; default those of float32. */
  readonly stateAlignment?: number;
}

/** Bytes of a vec4. */
const VECTOR = 16;

/** What the offset of a storage binding is a multiple of: as the device demands, and a vec4. */
export function bindingAlignment({
  minStorageBufferOffsetAlignment,
}: Pick<PlanLimits, 'minStorageBufferOffsetAlignment'>): number {
  return Math.max(minStorageBufferOffsetAlignment, VECTOR);
}

/** The binding that reaches a piece: it begins at the last offset before it that the device allows. */
export function bindPiece<B>(piece: Piece<B>, alignment: number): Binding<B> {
  const offset = alignDown(piece.byteOffset, alignment);
  return { buffer: piece.buffer, offset, size: wordsEndOf(piece) - offset };
}

/**
 * Cuts where any of the lists has a boundary, and wherever a binding would grow too large.
 *
 * @throws OptimizerError `limit-exceeded` if a binding has no room for anything.
 */
export function cutTogether<B>(
  data: readonly Piece<B>[],
  grad: readonly Piece<B>[] | undefined,
  state: readonly StatePiece[] | undefined,
  facts: CutFacts,
  table?: TableRows<B>,
): Chunk<B>[] {
  // Of each list, what is not covered yet.
  const left = { data: [...data], grad: [...(grad ?? [])], state: [...(state ?? [])] };
  const chunks: Chunk<B>[] = [];
  let rows = table;
  while (left.data.length > 0) {
    const here = chunkOf(left.data[0]!, left.grad[0], left.state[0], rows);
    const elementCount = roomInChunk(here, facts);
    chunks.push(...separate(firstOf(here, elementCount), facts));
    rows = skipRows(rows, elementCount);
    for (const list of Object.values<(Piece<B> | StatePiece)[]>(left)) dropElements(list, elementCount);
  }
  return chunks;
}

/** A chunk of what there is. */
export function chunkOf<B>(
  data: Piece<B>,
  grad?: Piece<B>,
  state?: StatePiece,
  table?: TableRows<B>,
): Chunk<B> {
  return { data, ...(grad && { grad }), ...(state && { state }), ...(table && { table }) };
}

/** Takes the first elements out of a list; they lie in its first piece. */
function dropElements(list: (Piece<unknown> | StatePiece)[], elementCount: number): void {
  const [first] = list;
  if (!first) return;
  if (first.elementCount === elementCount) list.shift();
  else list[0] = skipElements(first, elementCount);
}

/** A piece from one of its elements on. */
export function skipElements<P extends Piece<unknown> | StatePiece>(piece: P, elementCount: number): P {
  if (elementCount === 0) return piece;
  const rest = { elementCount: piece.elementCount - elementCount };
  if ('element' in piece) return { ...piece, ...rest, element: piece.element + elementCount };
  const { rows, byteOffset } = piece;
  const skipped = rows
    ? rows.byteStride * (elementCount / rows.length)
    : elementByteLengthOf(piece) * elementCount;
  // Rows that lie apart may begin within a word.
  if (!rows && skipped % 4 !== 0) throw cutWithinWord(elementCount);
  return { ...piece, ...rest, byteOffset: byteOffset + skipped };
}

/** No binding begins within a word. */
const cutWithinWord = (elementCount: number): OptimizerError =>
  new OptimizerError(
    'limit-exceeded',
    `a tensor is cut behind ${elementCount} elements, by its buffers or by what the device binds at once, and elements of 2 bytes share ` +
      'words; cut it at multiples of 4, or request the device with a larger requiredLimits.maxStorageBufferBindingSize.',
  );

/** Rows from one of their elements on. */
function skipRows<B>(table: TableRows<B> | undefined, elementCount: number): TableRows<B> | undefined {
  if (!table?.mask) return table;
  return { ...table, mask: skipElements(table.mask, elementCount / table.rowLength) };
}

/** The rows of the first elements. */
function keepRows<B>(table: TableRows<B> | undefined, elementCount: number): TableRows<B> | undefined {
  if (!table?.mask) return table;
  return { ...table, mask: keepElements(table.mask, elementCount / table.rowLength) };
}

/** Some elements of a list of pieces, from one of them on. */
export function slicePieces<P extends Piece<unknown> | StatePiece>(
  pieces: readonly P[],
  first: number,
  elementCount: number,
): P[] {
  const slices: P[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(first - start, 0);
    const to = Math.min(first + elementCount - start, piece.elementCount);
    if (from < to) slices.push(keepElements(skipElements(piece, from), to - from));
    start += piece.elementCount;
  }
  return slices;
}

/** The first elements of a piece. */
function keepElements<P extends Piece<unknown> | StatePiece>(piece: P, elementCount: number): P {
  if (elementCount === piece.elementCount) return piece;
  return 'element' in piece ? { ...piece, elementCount, isPadded: false } : { ...piece, elementCount };
}

/** The first elements of a chunk. */
export function firstOf<B>({ data, grad, state, table }: Chunk<B>, elementCount: number): Chunk<B> {
  return chunkOf(
    keepElements(data, elementCount),
    grad && keepElements(grad, elementCount),
    state && keepElements(state, elementCount),
    keepRows(table, elementCount),
  );
}

/** What is left of a chunk from one of its elements on. */
export function restOf<B>({ data, grad, state, table }: Chunk<B>, elementCount: number): Chunk<B> {
  return chunkOf(
    skipElements(data, elementCount),
    grad && skipElements(grad, elementCount),
    state && skipElements(state, elementCount),
    skipRows(table, elementCount),
  );
}

/** Elements of a chunk that bindings can reach, whole rows of them where it must be, and whole blocks. */
function roomInChunk<B>({ data, grad, state, table }: Chunk<B>, facts: CutFacts): number {
  const { limits, cutLength = 1 } = facts;
  const room = Math.min(...[data, grad, state].map((piece) => roomIn(piece, facts)));
  const { rowLength, mask } = table ?? { rowLength: 1 };
  const rowCount = Math.min(Math.floor(room / rowLength), roomIn(mask, facts));
  const all = Math.min(...[data, grad, state].map((piece) => piece?.elementCount ?? Infinity));
  const elementCount = rowCount * rowLength;
  if (elementCount === all) return all;
  const cut = alignDown(elementCount, rowsOfBlocks(rowLength, cutLength));
  if (cut > 0) return cut;
  throw new OptimizerError(
    'limit-exceeded',
    `the device binds ${limits.maxStorageBufferBindingSize} bytes at most, which is too few for ${
      table ? `a row of ${rowLength}` : 'whole blocks of'
    } elements; request it with a larger requiredLimits.maxStorageBufferBindingSize.`,
  );
}

/** The least number of elements that are whole rows, and whole blocks of a power of two. */
function rowsOfBlocks(rowLength: number, cutLength: number): number {
  let elementCount = rowLength;
  while (elementCount % cutLength !== 0) elementCount *= 2;
  return elementCount;
}

/** Elements of a piece that one binding can reach from its first one on: all, or whole lanes of them; of rows that lie apart, rows. */
function roomIn(
  piece: Piece<unknown> | StatePiece | undefined,
  { limits, stateAlignment }: CutFacts,
): number {
  if (!piece) return Infinity;
  const { maxStorageBufferBindingSize } = limits;
  const alignment = bindingAlignment(limits);
  // Rounding an offset down can add almost `step` bytes to a binding.
  const [byteOffset, step] =
    'element' in piece
      ? [
          ELEMENT_BYTE_LENGTH * piece.element,
          ELEMENT_BYTE_LENGTH * (stateAlignment ?? alignment / ELEMENT_BYTE_LENGTH),
        ]
      : [piece.byteOffset, alignment];
  const lost = byteOffset % step === 0 ? 0 : step;
  const byteLength = alignDown(maxStorageBufferBindingSize, alignment) - lost;
  if (byteLength > 0) return Math.min(piece.elementCount, elementsIn(byteLength, piece));
  throw new OptimizerError(
    'limit-exceeded',
    `the device binds ${maxStorageBufferBindingSize} bytes at most, which is too few at offsets of ${alignment}; request it ` +
      'with a larger requiredLimits.maxStorageBufferBindingSize.',
  );
}

/** Elements of a piece that so many bytes have room for. */
export function elementsIn(byteLength: number, piece: Piece<unknown> | StatePiece): number {
  if ('element' in piece) return byteLength / ELEMENT_BYTE_LENGTH;
  const size = elementByteLengthOf(piece);
  if (!piece.rows) return byteLength / size;
  const { length, byteStride } = piece.rows;
  return length * Math.floor((byteLength - size * length) / byteStride + 1);
}

/**
 * Halves a chunk whose data and grad bindings would overlap by rounding and are too long to share one binding: the halves
 * lie further apart.
 */
function separate<B>(chunk: Chunk<B>, facts: CutFacts): Chunk<B>[] {
  const { limits, cutLength = 1 } = facts;
  const alignment = bindingAlignment(limits);
  if (gradBindingOf(chunk, limits) !== 'read_write') return [chunk];
  const { data, grad, table } = chunk;
  const [low, high] = data.byteOffset < grad!.byteOffset ? [data, grad!] : [grad!, data];
  if (endOf(low) <= alignDown(high.byteOffset, alignment)) return [chunk];
  const unit = rowsOfBlocks(table ? table.rowLength : alignment / ELEMENT_BYTE_LENGTH, cutLength);
  const half = Math.max(alignDown(Math.floor(data.elementCount / 2), unit), unit);
  if (half >= data.elementCount) {
    throw new OptimizerError(
      'limit-exceeded',
      `weights and gradients that lie ${high.byteOffset - low.byteOffset} bytes apart in one buffer take one binding of more than ` +
        `${limits.maxStorageBufferBindingSize} bytes; request the device with a larger requiredLimits.maxStorageBufferBindingSize, ` +
        'or give them buffers of their own.',
    );
  }
  return [firstOf(chunk, half), restOf(chunk, half)].flatMap((part) => separate(part, facts));
}

/**
 * How the gradient reaches the kernel. WebGPU's usage scope is the whole GPUBuffer, so a gradient in the weight's buffer
 * must be bound `read_write` too; and two writable bindings must not overlap, so where rounding offsets down would make
 * them, both go through one binding.
 *
 * - `none`: there is none.
 * - `read`: its own buffer.
 * - `read_write`: its own binding, in the weight's buffer.
 * - `shared`: the weight's binding.
 * - `gathered`: one binding for all tensors of a dispatch.
 */
export type GradBinding = 'none' | 'read' | 'read_write' | 'shared' | 'gathered';

/** How a chunk's gradient is reached. */
export function gradBindingOf<B>(chunk: Chunk<B>, limits: PlanLimits): GradBinding {
  const { data, grad } = chunk;
  if (!grad) return 'none';
  if (data.buffer !== grad.buffer) return 'read';
  // It may be bound up to the end of its last vec4.
  const { size } = union(chunk, bindingAlignment(limits));
  return alignUp(size, VECTOR) <= limits.maxStorageBufferBindingSize ? 'shared' : 'read_write';
}

/** The binding that spans weights and gradients of a chunk. */
export function union<B>({ data, grad }: Chunk<B>, alignment: number): Binding<B> {
  const offset = alignDown(Math.min(data.byteOffset, grad!.byteOffset), alignment);
  return { buffer: data.buffer, offset, size: Math.max(wordsEndOf(data), wordsEndOf(grad!)) - offset };
}
