import { OptimizerError } from '../errors.js';
import { alignDown, alignUp } from '../kernel/alignment.js';
import {
  ELEMENT_BYTE_LENGTH,
  type Binding,
  type Piece,
  type PlanLimits,
  type StatePiece,
  endOf,
} from './pieces.js';

/** A stretch of a run that bindings can cover: as many elements of weights, gradients and state. */
export interface Chunk<B> {
  readonly data: Piece<B>;
  readonly grad?: Piece<B>;
  /** Absent before the state has a place. */
  readonly state?: StatePiece;
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
  return { buffer: piece.buffer, offset, size: endOf(piece) - offset };
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
  limits: PlanLimits,
): Chunk<B>[] {
  const alignment = bindingAlignment(limits);
  const cursors = { data: startCursor(), grad: startCursor(), state: startCursor() };
  const chunks: Chunk<B>[] = [];
  while (cursors.data.index < data.length) {
    const here = {
      data: partOf(data, cursors.data),
      ...(grad && { grad: partOf(grad, cursors.grad) }),
      ...(state && { state: partOf(state, cursors.state) }),
    };
    const room = [here.data, ...(here.grad ? [here.grad] : [])].map(({ byteOffset }) =>
      roomFrom(byteOffset, limits, alignment),
    );
    if (here.state) room.push(roomFrom(ELEMENT_BYTE_LENGTH * here.state.element, limits, alignment));
    const elementCount = Math.min(
      ...[here.data, here.grad, here.state].flatMap((piece) => (piece ? [piece.elementCount] : [])),
      ...room,
    );
    chunks.push(...separate(firstOf(here, elementCount), limits, alignment));
    advance(data, cursors.data, elementCount);
    if (grad) advance(grad, cursors.grad, elementCount);
    if (state) advance(state, cursors.state, elementCount);
  }
  return chunks;
}

interface Cursor {
  index: number;
  done: number;
}

const startCursor = (): Cursor => ({ index: 0, done: 0 });

/** What is left of the piece that a cursor is in. */
function partOf<P extends Piece<unknown> | StatePiece>(pieces: readonly P[], { index, done }: Cursor): P {
  return skipElements(pieces[index]!, done);
}

function advance(
  pieces: readonly { readonly elementCount: number }[],
  cursor: Cursor,
  elementCount: number,
): void {
  cursor.done += elementCount;
  if (cursor.done < pieces[cursor.index]!.elementCount) return;
  cursor.index++;
  cursor.done = 0;
}

/** A piece from one of its elements on. */
export function skipElements<P extends Piece<unknown> | StatePiece>(piece: P, elementCount: number): P {
  if (elementCount === 0) return piece;
  const rest = { elementCount: piece.elementCount - elementCount };
  return 'element' in piece
    ? { ...piece, ...rest, element: piece.element + elementCount }
    : { ...piece, ...rest, byteOffset: piece.byteOffset + ELEMENT_BYTE_LENGTH * elementCount };
}

/** The first elements of a piece. */
function keepElements<P extends Piece<unknown> | StatePiece>(piece: P, elementCount: number): P {
  if (elementCount === piece.elementCount) return piece;
  return 'element' in piece ? { ...piece, elementCount, isPadded: false } : { ...piece, elementCount };
}

/** The first elements of a chunk. */
export function firstOf<B>({ data, grad, state }: Chunk<B>, elementCount: number): Chunk<B> {
  return {
    data: keepElements(data, elementCount),
    ...(grad && { grad: keepElements(grad, elementCount) }),
    ...(state && { state: keepElements(state, elementCount) }),
  };
}

/** What is left of a chunk from one of its elements on. */
export function restOf<B>({ data, grad, state }: Chunk<B>, elementCount: number): Chunk<B> {
  return {
    data: skipElements(data, elementCount),
    ...(grad && { grad: skipElements(grad, elementCount) }),
    ...(state && { state: skipElements(state, elementCount) }),
  };
}

/** Elements that one binding can reach from a byte on, whole lanes of them. */
function roomFrom(
  byteOffset: number,
  { maxStorageBufferBindingSize }: PlanLimits,
  alignment: number,
): number {
  // Rounding an offset down can add almost `alignment` bytes to a binding.
  const lost = byteOffset % alignment === 0 ? 0 : alignment;
  const byteLength = alignDown(maxStorageBufferBindingSize, alignment) - lost;
  if (byteLength > 0) return byteLength / ELEMENT_BYTE_LENGTH;
  throw new OptimizerError(
    'limit-exceeded',
    `the device binds ${maxStorageBufferBindingSize} bytes at most, which is too few at offsets of ${alignment}; request it ` +
      'with a larger requiredLimits.maxStorageBufferBindingSize.',
  );
}

/**
 * Halves a chunk whose data and grad bindings would overlap by rounding and are too long to share one binding: the halves
 * lie further apart.
 */
function separate<B>(chunk: Chunk<B>, limits: PlanLimits, alignment: number): Chunk<B>[] {
  if (gradBindingOf(chunk, limits) !== 'read_write') return [chunk];
  const { data, grad } = chunk;
  const [low, high] = data.byteOffset < grad!.byteOffset ? [data, grad!] : [grad!, data];
  if (endOf(low) <= alignDown(high.byteOffset, alignment)) return [chunk];
  const unit = alignment / ELEMENT_BYTE_LENGTH;
  const half = Math.max(alignDown(Math.floor(data.elementCount / 2), unit), unit);
  if (half >= data.elementCount) {
    throw new OptimizerError(
      'limit-exceeded',
      `weights and gradients that lie ${high.byteOffset - low.byteOffset} bytes apart in one buffer take one binding of more than ` +
        `${limits.maxStorageBufferBindingSize} bytes; request the device with a larger requiredLimits.maxStorageBufferBindingSize, ` +
        'or give them buffers of their own.',
    );
  }
  return [firstOf(chunk, half), restOf(chunk, half)].flatMap((part) => separate(part, limits, alignment));
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
  return { buffer: data.buffer, offset, size: Math.max(endOf(data), endOf(grad!)) - offset };
}
