import { VECTOR } from '../../kernel/alignment.js';
import {
  LANES_PER_PARTIAL,
  MEASURE_SHAPE,
  type MeasureAccess,
  type Portion,
} from '../../kernel/compose-tensor.js';
import { chooseGrid } from '../../kernel/shape.js';
import { bindRange, bindingAlignment } from './binding.js';
import type { PlanLimits, PlannedBinding, PlannedChunk } from './planned.js';

/** One measuring dispatch: a chunk of a tensor. */
export interface PlannedMeasure<B> {
  readonly access: MeasureAccess;
  readonly portion: Portion;
  readonly data: PlannedBinding<B>;
  readonly grad: PlannedBinding<B>;
  readonly state: { readonly bufferIndex: number; readonly offset: number; readonly size: number };
  readonly grid: readonly [number, number];
}

/** The measuring of a list of tensors, and where their partials are. */
export interface MeasurePlan<B> {
  readonly dispatches: readonly PlannedMeasure<B>[];
  /** Partials per quantity. */
  readonly partialCount: number;
  /** Per tensor, its first partial and how many there are: those of its chunks lie behind one another. */
  readonly spans: readonly (readonly [first: number, count: number])[];
}

/**
 * Plans the measuring of tensors: a dispatch per chunk. The tree of a tensor's sum has one shape on every adapter and follows
 * from the element count alone, not from offsets, so that the float32 twin has the same bits; only where a tensor is cut
 * elsewhere than at multiples of 8192 elements, what one partial covers, the order of addition is another.
 *
 * @param chunks of all tensors, those of a tensor together and in order.
 */
export function planMeasure<B>(
  chunks: readonly PlannedChunk<B>[],
  tensorCount: number,
  limits: PlanLimits,
  maxPerDimension: number,
): MeasurePlan<B> {
  const alignment = bindingAlignment(limits);
  const spans = Array.from({ length: tensorCount }, (): [number, number] => [0, 0]);
  let partialCount = 0;
  const dispatches = chunks.map(({ parameterIndex, data, grad, state }) => {
    // Vec4s serve whole lanes in phase; where either is missing, elements are gathered, into the same lanes.
    const isVector = (byteOffset: number) => byteOffset % VECTOR === 0 && data.byteLength % VECTOR === 0;
    const access: MeasureAccess = {
      data: isVector(data.byteOffset) ? 'vector' : 'gather',
      grad: isVector(grad.byteOffset) ? 'vector' : 'gather',
    };
    const base = (byteOffset: number, mode: MeasureAccess['data']) =>
      (byteOffset % alignment) / (mode === 'vector' ? VECTOR : 4);
    const elementCount = data.byteLength / 4;
    const laneCount = Math.ceil(elementCount / 4);
    const workgroupCount = Math.ceil(laneCount / LANES_PER_PARTIAL);
    const span = spans[parameterIndex]!;
    if (span[1] === 0) span[0] = partialCount;
    span[1] += workgroupCount;
    const portion = {
      laneCount,
      elementCount,
      dataBase: base(data.byteOffset, access.data),
      gradBase: base(grad.byteOffset, access.grad),
      stateBase: base(state.byteOffset, access.data),
      partialBase: partialCount,
      workgroupCount,
    };
    partialCount += workgroupCount;
    return {
      access,
      portion,
      data: { buffer: data.buffer, ...bindRange(data, alignment) },
      grad: { buffer: grad.buffer, ...bindRange(grad, alignment) },
      state: { bufferIndex: state.bufferIndex, ...bindRange(state, alignment) },
      grid: chooseGrid(laneCount, MEASURE_SHAPE, maxPerDimension),
    };
  });
  return { dispatches, partialCount, spans };
}
