import type { Segment } from '../../kernel/segment.js';
import type { AccessVariant } from '../../kernel/variant.js';
import { bindRange } from './binding.js';
import { type Chunk, gradBindingOf, union } from './chunks.js';
import type { Piece, PlanLimits, PlannedBinding, PlannedDispatch, StateRegion } from './planned.js';

/** Unaligned tensors up to this many elements go through the edge kernel whole: one dispatch instead of two. */
const EDGE_ONLY_ELEMENTS = 4096;

/** The dispatches of one chunk: a body, edges, or both. */
export function planChunk<B>(
  parameterIndex: number,
  chunk: Chunk<B>,
  region: StateRegion,
  limits: PlanLimits,
  alignment: number,
): PlannedDispatch<B>[] {
  const { data, grad } = chunk;
  const elementCount = data.byteLength / 4;
  const gradBinding = gradBindingOf(chunk, limits.maxStorageBufferBindingSize, alignment);
  const bind = (piece: Piece<B>): PlannedBinding<B> => ({
    buffer: piece.buffer,
    ...bindRange(piece, alignment),
  });
  const dataBinding = gradBinding === 'shared' ? union(chunk, alignment) : bind(data);
  const gradBound = gradBinding === 'shared' ? dataBinding : bind(grad);
  const state = { bufferIndex: region.bufferIndex, ...bindRange(region, alignment) };
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
      stateBase: base(region.byteOffset + 4 * first, state.offset, access.laneWidth * 4),
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
