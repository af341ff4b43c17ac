import type { Segment } from '../kernel/segment.js';
import type { AccessVariant } from '../kernel/variant.js';
import { type PaddingOf, type RunMember, type Tensor, VECTOR, asRun, findRuns } from './runs.js';
import { planNamedRows } from './sparse/plan-rows.js';

/** A range of some buffer; generic over the buffer, so that planning needs no GPU. */
export interface Piece<B> {
  readonly buffer: B;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The device limits that decide how a tensor is cut. Byte lengths but for the last. */
export interface PlanLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxBufferSize: number;
}

/** A binding of a buffer: offset aligned as the device demands. */
export interface PlannedBinding<B> {
  readonly buffer: B;
  readonly offset: number;
  readonly size: number;
}

/** Where the optimizer state of a chunk lies: the same place in the buffers of every slot. */
export interface StateRegion {
  /** Which of a slot's buffers. */
  readonly bufferIndex: number;
  /** First byte; congruent to the chunk's weights modulo 16, so that one vec4 index serves both. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** One dispatch: its kernel variant, what it binds and what it covers. */
export interface PlannedDispatch<B> {
  /** Which of the tensors it belongs to; the first, if it covers neighbours. */
  readonly parameterIndex: number;
  readonly access: AccessVariant;
  readonly segment: Segment;
  readonly data: PlannedBinding<B>;
  /** Absent if the gradient is reached through the data binding. */
  readonly grad?: PlannedBinding<B>;
  /** The list of rows, if only these are stepped. */
  readonly rows?: PlannedBinding<B>;
  /** Index of the state buffer, and the binding in it. */
  readonly state: { readonly bufferIndex: number; readonly offset: number; readonly size: number };
}

/** A stretch of a tensor, or of neighbours, that bindings can cover, gradients of all its elements. */
export interface PlannedChunk<B> {
  /** As {@link PlannedDispatch}'s. */
  readonly parameterIndex: number;
  readonly data: Piece<B>;
  readonly grad: Piece<B>;
  readonly state: StateRegion;
}

/** The plan for a list of tensors. */
export interface Plan<B> {
  /** Dispatches in order; those of a tensor are together. */
  readonly dispatches: readonly PlannedDispatch<B>[];
  /** What the dispatches cover; the chunks of a tensor are together, in order. */
  readonly chunks: readonly PlannedChunk<B>[];
  /** Per parameter, the state regions of its elements, in order. */
  readonly stateRegions: readonly (readonly StateRegion[])[];
  /** Byte lengths of the buffers that each state slot needs. */
  readonly stateByteLengths: readonly number[];
}

/** Unaligned tensors up to this many elements go through the edge kernel whole: one dispatch instead of two. */
const EDGE_ONLY_ELEMENTS = 4096;

const alignDown = (value: number, alignment: number): number => value - (value % alignment);
const alignUp = (value: number, alignment: number): number => alignDown(value + alignment - 1, alignment);

interface Chunk<B> {
  readonly data: Piece<B>;
  readonly grad: Piece<B>;
}

/** What the offset of a storage binding is a multiple of: as the device demands, and a vec4. */
export function bindingAlignment({ minStorageBufferOffsetAlignment }: PlanLimits): number {
  return Math.max(minStorageBufferOffsetAlignment, VECTOR);
}

const callersOwn = (): number => 0;

/**
 * Joins neighbouring tensors, and cuts them into dispatches: at buffer boundaries, at the binding limit, and into an
 * aligned body (four elements a lane) and its edges (one element a lane).
 *
 * @param tensors one per parameter.
 * @param hasState whether the rule keeps state at all.
 * @param paddingOf what may lie between neighbours. Default: nothing.
 * @param joins whether neighbours may be joined at all. Default true.
 */
export function planDispatches<B>(
  tensors: readonly Tensor<B>[],
  limits: PlanLimits,
  hasState: boolean,
  paddingOf: PaddingOf<B> = callersOwn,
  joins = true,
): Plan<B> {
  const alignment = bindingAlignment(limits);
  const state = new StateAllocator(limits.maxBufferSize, alignment);
  const dispatches: PlannedDispatch<B>[] = [];
  const chunks: PlannedChunk<B>[] = [];
  const stateRegions: StateRegion[][] = tensors.map(() => []);
  const allocate = ({ byteOffset, byteLength }: Piece<B>): StateRegion =>
    hasState
      ? state.allocate(byteLength, byteOffset % 16)
      : { bufferIndex: 0, byteOffset: byteOffset % 16, byteLength };
  const runs = joins ? findRuns(tensors, paddingOf) : tensors.map(asRun);
  for (const { data, grad, named, members } of runs) {
    const parameterIndex = members[0]!.index;
    const regions: StateRegion[] = [];
    if (named) {
      const region = allocate(data[0]!);
      dispatches.push(planNamedRows(parameterIndex, data[0]!, grad[0]!, named, region, alignment));
      regions.push(region);
    }
    for (const chunk of named
      ? []
      : cutIntoChunks(data, grad, limits.maxStorageBufferBindingSize, alignment)) {
      const region = allocate(chunk.data);
      dispatches.push(...planChunk(parameterIndex, chunk, region, limits, alignment));
      chunks.push({ parameterIndex, ...chunk, state: region });
      regions.push(region);
    }
    for (const member of members) stateRegions[member.index] = regionsOf(member, regions);
  }
  return { dispatches, chunks, stateRegions, stateByteLengths: state.byteLengths };
}

/** The parts of a run's regions that are a member's. */
function regionsOf({ start, byteLength }: RunMember, regions: readonly StateRegion[]): StateRegion[] {
  const own: StateRegion[] = [];
  let done = 0;
  for (const region of regions) {
    const from = Math.max(start - done, 0);
    const to = Math.min(start + byteLength - done, region.byteLength);
    if (from < to) own.push({ ...region, byteOffset: region.byteOffset + from, byteLength: to - from });
    done += region.byteLength;
  }
  return own;
}

/** Cuts where either list of pieces has a boundary, and wherever a binding would grow too large. */
function cutIntoChunks<B>(
  data: readonly Piece<B>[],
  grad: readonly Piece<B>[],
  maxBindingSize: number,
  alignment: number,
): Chunk<B>[] {
  const chunks: Chunk<B>[] = [];
  let [d, g, dataDone, gradDone] = [0, 0, 0, 0];
  while (d < data.length && g < grad.length) {
    const dataPiece = data[d]!;
    const gradPiece = grad[g]!;
    const dataOffset = dataPiece.byteOffset + dataDone;
    const gradOffset = gradPiece.byteOffset + gradDone;
    // Rounding an offset down can add almost `alignment` bytes to a binding.
    const isAligned = dataOffset % alignment === 0 && gradOffset % alignment === 0;
    const maxChunk = alignDown(maxBindingSize, alignment) - (isAligned ? 0 : alignment);
    const byteLength = Math.min(dataPiece.byteLength - dataDone, gradPiece.byteLength - gradDone, maxChunk);
    const chunk = {
      data: { buffer: dataPiece.buffer, byteOffset: dataOffset, byteLength },
      grad: { buffer: gradPiece.buffer, byteOffset: gradOffset, byteLength },
    };
    chunks.push(...separate(chunk, maxBindingSize, alignment));
    dataDone += byteLength;
    gradDone += byteLength;
    if (dataDone === dataPiece.byteLength) [d, dataDone] = [d + 1, 0];
    if (gradDone === gradPiece.byteLength) [g, gradDone] = [g + 1, 0];
  }
  return chunks;
}

/**
 * Halves a chunk whose data and grad bindings would overlap by rounding and are too long to share one binding:
 * the halves lie further apart.
 */
function separate<B>(chunk: Chunk<B>, maxBindingSize: number, alignment: number): Chunk<B>[] {
  const { data, grad } = chunk;
  if (gradBindingOf(chunk, maxBindingSize, alignment) !== 'read_write') return [chunk];
  const [low, high] = data.byteOffset < grad.byteOffset ? [data, grad] : [grad, data];
  if (low.byteOffset + low.byteLength <= alignDown(high.byteOffset, alignment)) return [chunk];
  const half = Math.max(alignDown(data.byteLength / 2, alignment), alignment);
  const part = (piece: Piece<B>, start: number, byteLength: number) => ({
    buffer: piece.buffer,
    byteOffset: piece.byteOffset + start,
    byteLength,
  });
  return [
    { data: part(data, 0, half), grad: part(grad, 0, half) },
    {
      data: part(data, half, data.byteLength - half),
      grad: part(grad, half, data.byteLength - half),
    },
  ].flatMap((piece) => separate(piece, maxBindingSize, alignment));
}

/** The binding that spans both pieces of a chunk. */
function union<B>({ data, grad }: Chunk<B>, alignment: number): PlannedBinding<B> {
  const offset = alignDown(Math.min(data.byteOffset, grad.byteOffset), alignment);
  const end = Math.max(data.byteOffset, grad.byteOffset) + data.byteLength;
  return { buffer: data.buffer, offset, size: end - offset };
}

function gradBindingOf<B>(
  chunk: Chunk<B>,
  maxBindingSize: number,
  alignment: number,
): AccessVariant['gradBinding'] {
  if (chunk.data.buffer !== chunk.grad.buffer) return 'read';
  return union(chunk, alignment).size <= maxBindingSize ? 'shared' : 'read_write';
}

/** The dispatches of one chunk: a body, edges, or both. */
function planChunk<B>(
  parameterIndex: number,
  chunk: Chunk<B>,
  region: StateRegion,
  limits: PlanLimits,
  alignment: number,
): PlannedDispatch<B>[] {
  const { data, grad } = chunk;
  const elementCount = data.byteLength / 4;
  const gradBinding = gradBindingOf(chunk, limits.maxStorageBufferBindingSize, alignment);
  const bind = (piece: Piece<B>): PlannedBinding<B> => {
    const offset = alignDown(piece.byteOffset, alignment);
    return { buffer: piece.buffer, offset, size: piece.byteOffset + piece.byteLength - offset };
  };
  const dataBinding = gradBinding === 'shared' ? union(chunk, alignment) : bind(data);
  const gradBound = gradBinding === 'shared' ? dataBinding : bind(grad);
  const stateOffset = alignDown(region.byteOffset, alignment);
  const state = {
    bufferIndex: region.bufferIndex,
    offset: stateOffset,
    size: region.byteOffset + region.byteLength - stateOffset,
  };
  const base = (byteOffset: number, offset: number, elementByteLength: number) =>
    (byteOffset - offset) / elementByteLength;
  const dispatch = (
    access: AccessVariant,
    first: number,
    covers: Pick<Segment, 'laneCount' | 'split' | 'skip'>,
  ) => ({
    parameterIndex,
    access,
    data: dataBinding,
    ...(gradBinding === 'shared' ? {} : { grad: gradBound }),
    state,
    segment: {
      ...covers,
      dataBase: base(
        data.byteOffset + 4 * first,
        dataBinding.offset,
        access.dataAccess === 'vector' ? 16 : 4,
      ),
      gradBase: base(grad.byteOffset + 4 * first, gradBound.offset, access.gradAccess === 'vector' ? 16 : 4),
      stateBase: base(region.byteOffset + 4 * first, stateOffset, access.laneWidth * 4),
    },
  });
  const planEdges = (split: number, skip: number, laneCount: number) =>
    dispatch({ laneWidth: 1, gradBinding, dataAccess: 'gather', gradAccess: 'gather' }, 0, {
      laneCount,
      split,
      skip,
    });

  const head = Math.min(((16 - (data.byteOffset % 16)) % 16) / 4, elementCount);
  const bodyLanes = Math.floor((elementCount - head) / 4);
  const edges = elementCount - 4 * bodyLanes;
  if (edges > 0 && elementCount <= EDGE_ONLY_ELEMENTS) return [planEdges(elementCount, 0, elementCount)];
  const inPhase = data.byteOffset % 16 === grad.byteOffset % 16;
  const body = dispatch(
    {
      laneWidth: 4,
      gradBinding,
      dataAccess: inPhase || gradBinding !== 'shared' ? 'vector' : 'gather',
      gradAccess: inPhase ? 'vector' : 'gather',
    },
    head,
    { laneCount: bodyLanes, split: bodyLanes, skip: 0 },
  );
  return edges > 0 ? [body, planEdges(head, 4 * bodyLanes, edges)] : [body];
}

/** Packs state regions one behind the other into as few buffers as the device's limit allows. */
class StateAllocator {
  readonly byteLengths: number[] = [];

  constructor(
    private readonly maxBufferSize: number,
    private readonly alignment: number,
  ) {}

  allocate(byteLength: number, phase: number): StateRegion {
    const last = this.byteLengths.length - 1;
    const byteOffset = last < 0 ? 0 : alignUp(this.byteLengths[last]!, this.alignment) + phase;
    if (last >= 0 && byteOffset + byteLength <= this.maxBufferSize) {
      this.byteLengths[last] = byteOffset + byteLength;
      return { bufferIndex: last, byteOffset, byteLength };
    }
    this.byteLengths.push(phase + byteLength);
    return { bufferIndex: last + 1, byteOffset: phase, byteLength };
  }
}
