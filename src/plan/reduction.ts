import { type KernelShape, chooseGrid } from '../kernel/shape.js';
import { type TableRows, bindPiece, bindingAlignment, cutTogether, skipElements } from './cut.js';
import { joinRuns } from './join.js';
import { type Access, type Codec, LANE } from '../codecs/codec.js';
import {
  type Binding,
  ELEMENT_BYTE_LENGTH,
  type Piece,
  type PlanTensor,
  elementByteLengthOf,
} from './pieces.js';
import { type ReductionTable, tableOf, tableOfPiece } from './reduction-rows.js';
import { type StretchFacts, accessOf, canRead, extend, unitOf } from './stretch.js';

/** Gradients that lie behind one another in one buffer and are reduced as one. */
export interface GradientRun<B> {
  readonly piece: Piece<B>;
  readonly row: number;
  /** What must be known of its rows: it is by itself then. */
  readonly table?: TableRows<B>;
  readonly members: readonly GradientMember[];
}

/** A piece of a tensor's gradient within a run. */
export interface GradientMember {
  /** Index of the tensor. */
  readonly index: number;
  /** Which piece of its gradient, and of how many. */
  readonly piece: number;
  readonly pieceCount: number;
  /** The element of the run at which it begins. */
  readonly start: number;
  readonly elementCount: number;
}

/** What one dispatch of the reduction reads of one run. */
export interface ReductionPart<B> {
  /** Index of the run in the plan. */
  readonly run: number;
  readonly row: number;
  readonly access: Access;
  /** How its elements lie in memory, if not as float32. */
  readonly codec?: Codec;
  /** Whether it shares a dispatch: its last lane may be in part. */
  readonly isShort: boolean;
  /** How its rows lie, if that must be known: it has a dispatch of its own, and its last lane may be in part. */
  readonly table?: ReductionTable<B>;
  readonly binding: Binding<B>;
  /** Where it begins in the bound array, in units of that: vec4s or words. */
  readonly base: number;
  readonly elementCount: number;
  readonly laneCount: number;
  /** The lane of the workspace that its first lane is copied to, if it is gathered. */
  readonly gatheredLane?: number;
}

/** One dispatch of the reduction: a long part, or several short ones of one kind and row. */
export interface ReductionDispatch<B> {
  readonly parts: readonly ReductionPart<B>[];
  readonly shape: KernelShape;
  readonly grid: readonly [number, number];
  /** Partials that it leaves, one per workgroup, and which of all is the first. */
  readonly workgroupCount: number;
  readonly firstPartial: number;
}

/**
 * The reduction of all gradients. Its workspace is one buffer of lanes: gathered gradients, then partials.
 *
 * The sum's shape follows from where gradients lie, how long they are, and from the adapter's kind; on one device equal
 * input gives equal bits.
 */
export interface ReductionPlan<B> {
  readonly runs: readonly GradientRun<B>[];
  readonly dispatches: readonly ReductionDispatch<B>[];
  /** Per gathered gradient, by the index of its tensor, the lane of the workspace at which it begins. */
  readonly gathered: ReadonlyMap<number, number>;
  /** The lane of the workspace that is the first partial. */
  readonly firstPartialLane: number;
  readonly partialCount: number;
  readonly workspaceByteLength: number;
}

/** What planning a reduction must know. */
export interface ReductionFacts<B> extends StretchFacts<B> {
  /** The shape of a dispatch whose longest part has so many lanes. */
  readonly shapeOf: (laneCount: number, isShort: boolean) => KernelShape;
}

/** Lanes of a part up to which it shares a dispatch with others; as for steps, see plan/batches.ts. */
export const SHORT_LANES = 512;
/** More would make kernels longer, and save less and less. */
const MOST_TOGETHER = 8;
/** Gradients of a row; with fewer, too few dispatches would be saved to be worth a copy. */
export const FEWEST_GATHERED = 16;
/** Bytes of a lane of float32, and of a partial. */
const LANE_BYTE_LENGTH = LANE * ELEMENT_BYTE_LENGTH;

/**
 * Plans the reduction of all gradients: neighbours of one row are joined, long runs are cut into whole vec4s and what is
 * left at either end, and short parts share dispatches.
 *
 * Short gradients in buffers of their own are gathered on the way: they are read in any case, and behind one another in
 * one buffer they take one binding of a step kernel, not one each. So more tensors share its dispatches: with Adam, five
 * instead of three.
 *
 * @param gathers whether gradients may be gathered: not where step kernels take one tensor each.
 * @throws OptimizerError `limit-exceeded` if a binding has no room for anything.
 */
export function planReduction<B>(
  tensors: readonly PlanTensor<B>[],
  facts: ReductionFacts<B>,
  gathers: boolean,
): ReductionPlan<B> {
  const { limits } = facts;
  const runs = findRuns(tensors, facts);
  const { gathered, laneCount: gatheredLanes } = chooseGathered(gathers ? tensors : [], runs, facts);
  const parts = runs.flatMap((run, k) => cutRun(run, k, gathered, facts));
  const dispatches: ReductionDispatch<B>[] = [];
  let partialCount = 0;
  for (const together of shareDispatches(parts, limits.maxStorageBuffersPerShaderStage)) {
    const laneCount = Math.max(...together.map((part) => part.laneCount));
    const shape = facts.shapeOf(laneCount, together[0]!.isShort);
    const workgroupCount = Math.ceil(laneCount / (shape.workgroupSize * shape.lanesPerInvocation));
    const grid = chooseGrid(laneCount, shape, limits.maxComputeWorkgroupsPerDimension);
    dispatches.push({ parts: together, shape, grid, workgroupCount, firstPartial: partialCount });
    partialCount += workgroupCount;
  }
  const workspaceByteLength = LANE_BYTE_LENGTH * Math.max(gatheredLanes + partialCount, 1);
  return { runs, dispatches, gathered, firstPartialLane: gatheredLanes, partialCount, workspaceByteLength };
}

/** The tensors with their gathered gradients where a reduction leaves them, for all stages behind it. */
export function withGathered<B>(
  tensors: readonly PlanTensor<B>[],
  gathered: ReadonlyMap<number, number>,
  workspace: B,
): PlanTensor<B>[] {
  return tensors.map((tensor) => {
    const lane = gathered.get(tensor.index);
    if (lane === undefined) return tensor;
    const { elementCount } = tensor.grad![0]!;
    return {
      ...tensor,
      grad: [{ buffer: workspace, byteOffset: LANE_BYTE_LENGTH * lane, elementCount }],
      isGathered: true,
    };
  });
}

/** Gradients of one row that lie behind one another. */
export function findRuns<B>(
  tensors: readonly PlanTensor<B>[],
  { paddingOf }: Pick<StretchFacts<B>, 'paddingOf'>,
): GradientRun<B>[] {
  const pieces = tensors.flatMap((tensor) => {
    const { index, row, grad = [] } = tensor;
    let start = 0;
    return grad.map((data, piece) => {
      const table = tableOfPiece(tensor, data, start);
      start += data.elementCount;
      return { index, row, data, piece, pieceCount: grad.length, table };
    });
  });
  const runs = joinRuns(
    pieces.map(({ row, data, table }, index) => ({
      index,
      row,
      data: [data],
      ...(table && { rowLength: table.rowLength }),
    })),
    paddingOf,
  );
  return runs.map(({ row, data, members }) => ({
    row,
    piece: data[0]!,
    ...tableOfMember(pieces[members[0]!.index]!),
    members: members.map((member) => {
      const { index, piece, pieceCount } = pieces[member.index]!;
      return { index, piece, pieceCount, start: member.start, elementCount: member.elementCount };
    }),
  }));
}

const tableOfMember = <B>({ table }: { readonly table: TableRows<B> | undefined }) => table && { table };

/** Gives each gradient that is to be gathered a place in the workspace. */
function chooseGathered<B>(
  tensors: readonly PlanTensor<B>[],
  runs: readonly GradientRun<B>[],
  { limits }: ReductionFacts<B>,
): { gathered: ReadonlyMap<number, number>; laneCount: number } {
  // Half a binding is left for the partials.
  const mostLanes = Math.floor(limits.maxStorageBufferBindingSize / LANE_BYTE_LENGTH / 2);
  const single = new Map<number, number>();
  for (const { members, piece } of runs) {
    if (members.length === 1) single.set(members[0]!.index, lanesOf(piece));
  }
  const lanesToGather = ({ index, data, grad, rows, rowLength }: PlanTensor<B>): number | undefined => {
    const lanes = single.get(index);
    const isSimple =
      !rows &&
      rowLength === undefined &&
      data.length === 1 &&
      grad?.length === 1 &&
      grad[0]!.buffer !== data[0]!.buffer;
    return isSimple && lanes !== undefined && lanes <= SHORT_LANES ? lanes : undefined;
  };
  const countOfRow = new Map<number, number>();
  for (const tensor of tensors) {
    if (lanesToGather(tensor) === undefined) continue;
    countOfRow.set(tensor.row, (countOfRow.get(tensor.row) ?? 0) + 1);
  }
  const gathered = new Map<number, number>();
  let laneCount = 0;
  for (const tensor of tensors) {
    const lanes = lanesToGather(tensor);
    if (lanes === undefined || countOfRow.get(tensor.row)! < FEWEST_GATHERED) continue;
    if (laneCount + lanes > mostLanes) break;
    gathered.set(tensor.index, laneCount);
    laneCount += lanes;
  }
  return { gathered, laneCount };
}

const lanesOf = ({ elementCount }: Piece<unknown>): number => Math.ceil(elementCount / LANE);

/** The parts of a run: what bindings can reach, and of that whole vec4s, and up to three elements before and behind them. */
function cutRun<B>(
  { piece, row, members, table }: GradientRun<B>,
  run: number,
  gathered: ReadonlyMap<number, number>,
  facts: ReductionFacts<B>,
): ReductionPart<B>[] {
  const alignment = bindingAlignment(facts.limits);
  const partOf = (part: Piece<B>, isShort: boolean): ReductionPart<B> => {
    const access = accessOf(part, canRead(part, facts));
    const binding = extend(bindPiece(part, alignment), access, part);
    const base = (part.byteOffset - binding.offset) / unitOf(access, part);
    const { elementCount, codec } = part;
    const laneCount = lanesOf(part);
    return { run, row, access, ...(codec && { codec }), isShort, binding, base, elementCount, laneCount };
  };
  const gatheredLane = members.length === 1 ? gathered.get(members[0]!.index) : undefined;
  if (gatheredLane !== undefined) return [{ ...partOf(piece, true), gatheredLane }];
  return cutTogether([piece], undefined, undefined, facts, table).flatMap(({ data, table: rows }) => {
    if (rows) return [{ ...partOf(data, false), table: tableOf(data, rows, alignment) }];
    if (lanesOf(data) <= SHORT_LANES) return [partOf(data, true)];
    const size = elementByteLengthOf(data);
    const phase = (data.byteOffset % (LANE * size)) / size;
    const head = (LANE - phase) % LANE;
    const body = LANE * Math.floor((data.elementCount - head) / LANE);
    const parts = [
      { part: { ...data, elementCount: head }, isShort: true },
      { part: { ...skipElements(data, head), elementCount: body }, isShort: false },
      { part: skipElements(data, head + body), isShort: true },
    ];
    return parts
      .filter(({ part }) => part.elementCount > 0)
      .map(({ part, isShort }) => partOf(part, isShort));
  });
}

/** Long parts by themselves; short ones of one kind and row together, in the order of the first of each. */
function shareDispatches<B>(
  parts: readonly ReductionPart<B>[],
  storageBufferCount: number,
): ReductionPart<B>[][] {
  const capacity = Math.min(storageBufferCount - 1, MOST_TOGETHER);
  const dispatches: ReductionPart<B>[][] = [];
  const openOfKind = new Map<string, ReductionPart<B>[]>();
  for (const part of parts) {
    const kind = `${part.row} ${part.access} ${part.codec?.name} ${part.gatheredLane !== undefined}`;
    let together = part.isShort ? openOfKind.get(kind) : undefined;
    if (!together) {
      dispatches.push((together = []));
      if (part.isShort) openOfKind.set(kind, together);
    }
    together.push(part);
    if (together.length === capacity) openOfKind.delete(kind);
  }
  return dispatches;
}
