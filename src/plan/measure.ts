import { LANES_PER_PARTIAL, MEASURE_SHAPE } from '../kernel/measure-shape.js';
import { chooseGrid } from '../kernel/shape.js';
import { type Chunk, bindPiece, bindingAlignment } from './cut.js';
import { type Access, type Codec, LANE } from '../codecs/codec.js';
import { type Binding, ELEMENT_BYTE_LENGTH, type PlanTensor } from './pieces.js';
import { planRuns } from './plan.js';
import {
  type StateRange,
  type StretchFacts,
  accessIf,
  accessOf,
  canRead,
  codecsOf,
  extend,
  stateRange,
  stridesOf,
  unitOf,
} from './stretch.js';

/** How a measuring dispatch reaches its elements, four a lane. */
export interface MeasureAccess {
  readonly data: Access;
  readonly grad: Access;
  readonly state: Access;
  /** As of a {@link StretchAccess}. */
  readonly rowLength?: number;
  readonly isMasked?: true;
  readonly dataStride?: number;
  readonly gradStride?: number;
  readonly dataCodec?: Codec;
  readonly gradCodec?: Codec;
}

/** One measuring dispatch: a chunk of a tensor. Bases count in units of the bound arrays. */
export interface PlannedMeasure<B> {
  readonly row: number;
  readonly access: MeasureAccess;
  readonly elementCount: number;
  readonly laneCount: number;
  readonly data: Binding<B>;
  readonly dataBase: number;
  readonly grad: Binding<B>;
  readonly gradBase: number;
  /** Absent where no state is kept. */
  readonly state?: StateRange;
  readonly stateBase: number;
  /** A number per row, if rows may be left alone. */
  readonly mask?: Binding<B>;
  readonly maskBase: number;
  readonly workgroupCount: number;
  readonly grid: readonly [number, number];
}

/** The measuring of a tensor: its chunks, whose partials lie behind one another. */
export interface MeasuredTensor<B> {
  readonly index: number;
  readonly row: number;
  readonly chunks: readonly PlannedMeasure<B>[];
}

/**
 * Plans the measuring of tensors: a dispatch per chunk. The tree of a tensor's sum has one shape on every adapter and follows
 * from the element count alone, not from offsets, so that the float32 twin has the same bits; only where a tensor is cut
 * elsewhere than at multiples of 8192 elements, what one partial covers, the order of addition is another.
 */
export function planMeasure<B>(
  tensors: readonly PlanTensor<B>[],
  facts: StretchFacts<B>,
): MeasuredTensor<B>[] {
  return planRuns(tensors, facts, false).map(({ run: { members, row }, chunks }) => ({
    index: members[0]!.index,
    row,
    chunks: chunks.map((chunk) => planChunk(row, chunk, facts)),
  }));
}

function planChunk<B>(
  row: number,
  { data, grad, state, table }: Chunk<B>,
  facts: StretchFacts<B>,
): PlannedMeasure<B> {
  const alignment = bindingAlignment(facts.limits);
  const mask = table?.mask;
  const maskBinding = mask && bindPiece(mask, alignment);
  const access = {
    data: accessOf(data, canRead(data, facts)),
    grad: accessOf(grad!, canRead(grad!, facts)),
    state: accessIf(!state || (state.element % LANE === 0 && state.isPadded)),
    ...(table && { rowLength: table.rowLength }),
    ...(mask && { isMasked: true as const }),
    ...stridesOf(data, grad),
    ...codecsOf(data, grad),
  };
  const dataBinding = extend(bindPiece(data, alignment), access.data, data);
  const gradBinding = extend(bindPiece(grad!, alignment), access.grad, grad!);
  const { stateStart, ...range } = stateRange(state, facts);
  const { elementCount } = data;
  const laneCount = Math.ceil(elementCount / LANE);
  return {
    row,
    access,
    elementCount,
    laneCount,
    data: dataBinding,
    dataBase: (data.byteOffset - dataBinding.offset) / unitOf(access.data, data),
    grad: gradBinding,
    gradBase: (grad!.byteOffset - gradBinding.offset) / unitOf(access.grad, grad),
    ...range,
    stateBase: access.state === 'vector' ? stateStart / LANE : stateStart,
    ...(maskBinding && { mask: maskBinding }),
    maskBase: maskBinding ? (mask.byteOffset - maskBinding.offset) / ELEMENT_BYTE_LENGTH : 0,
    workgroupCount: Math.ceil(laneCount / LANES_PER_PARTIAL),
    grid: chooseGrid(laneCount, MEASURE_SHAPE, facts.limits.maxComputeWorkgroupsPerDimension),
  };
}

/** Whether two chunks differ in what is bound alone. */
export function measuresAlike<B>(a: PlannedMeasure<B>, b: PlannedMeasure<B> | undefined): boolean {
  return (
    b !== undefined &&
    a.elementCount === b.elementCount &&
    a.dataBase === b.dataBase &&
    a.gradBase === b.gradBase &&
    a.stateBase === b.stateBase &&
    a.access.data === b.access.data &&
    a.access.grad === b.access.grad &&
    a.access.state === b.access.state &&
    a.access.dataStride === b.access.dataStride &&
    a.access.gradStride === b.access.gradStride
  );
}
