import {
  type BufferFacts,
  type Piece,
  type PlanTensor,
  type StatePiece,
  asWords,
  countElements,
  elementByteLengthOf,
  endOf,
} from './pieces.js';

/** Tensors that dispatches may cover as one: neighbours that are stepped with the same row. */
export interface Run<B> extends Omit<PlanTensor<B>, 'index'> {
  readonly members: readonly RunMember[];
}

/** A tensor of a run: which, and the element of the run at which it begins. */
export interface RunMember {
  readonly index: number;
  readonly start: number;
  readonly elementCount: number;
}

interface GrowingRun<B> extends Run<B> {
  readonly members: RunMember[];
}

/**
 * Joins tensors that lie behind one another in one buffer, weights, gradients and state alike: thousands of tensors cost
 * what their bytes cost, not a dispatch each. What lies between them is covered too, so it may be padding at most.
 *
 * @param unit each tensor of a run begins at a multiple of so many of its elements.
 * @returns the runs in the order of their first tensors.
 */
export function joinRuns<B>(
  tensors: readonly PlanTensor<B>[],
  paddingOf: BufferFacts<B>['paddingOf'],
  unit = 1,
): Run<B>[] {
  const order = new Map(tensors.map(({ index }, k) => [index, k]));
  const runs = tensors.map(asRun);
  const joinable = runs.filter(isWhole);
  const joined = groupBy(joinable, ({ data }) => data[0]!.buffer).flatMap((list) =>
    joinNeighbours(
      list.toSorted((a, b) => a.data[0]!.byteOffset - b.data[0]!.byteOffset),
      (run, next) => append(run, next, paddingOf, unit),
    ),
  );
  const place = ({ members }: Run<B>): number => order.get(members[0]!.index)!;
  return [...runs.filter((run) => !isWhole(run)), ...joined].toSorted((a, b) => place(a) - place(b));
}

/** A tensor by itself. */
export function asRun<B>({ index, ...tensor }: PlanTensor<B>): GrowingRun<B> {
  return { ...tensor, members: [{ index, start: 0, elementCount: countElements(tensor.data) }] };
}

function isWhole<B>({ data, grad, rows, rowLength, state }: Run<B>): boolean {
  return (
    !rows &&
    rowLength === undefined &&
    data.length === 1 &&
    (grad?.length ?? 1) === 1 &&
    (state?.length ?? 1) === 1
  );
}

/**
 * Joins the words of pieces that lie behind one another in one buffer, but for padding.
 *
 * @param overlapping whether pieces that share bytes are joined as well; otherwise each stays by itself.
 */
export function joinPieces<B>(
  pieces: readonly Piece<B>[],
  paddingOf: BufferFacts<B>['paddingOf'],
  overlapping: boolean,
): Piece<B>[] {
  return groupBy(pieces.map(asWords), ({ buffer }) => buffer).flatMap((list) =>
    joinNeighbours(
      list.toSorted((a, b) => a.byteOffset - b.byteOffset),
      (last, next) => {
        const gap = next.byteOffset - endOf(last);
        if (!isPadding(gap, paddingOf(last.buffer, endOf(last))) && !(overlapping && gap < 0))
          return undefined;
        const end = Math.max(endOf(last), endOf(next));
        return { ...last, elementCount: (end - last.byteOffset) / elementByteLengthOf(last) };
      },
    ),
  );
}

function isPadding(gap: number, padding: number): boolean {
  return gap === 0 || (gap > 0 && gap < padding);
}

/** Lists of items with equal keys, in the order of the first of each. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): T[][] {
  const lists = new Map<unknown, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const list = lists.get(key);
    if (list) list.push(item);
    else lists.set(key, [item]);
  }
  return [...lists.values()];
}

/** Folds each item into the one before it where `join` says so. */
function joinNeighbours<T>(items: readonly T[], join: (last: T, next: T) => T | undefined): T[] {
  const joined: T[] = [];
  for (const item of items) {
    const last = joined.at(-1);
    const both = last === undefined ? undefined : join(last, item);
    if (both === undefined) joined.push(item);
    else joined[joined.length - 1] = both;
  }
  return joined;
}

/** The run with the next one at its end, if that may be; `run` is used up then. */
function append<B>(
  run: GrowingRun<B>,
  next: GrowingRun<B>,
  paddingOf: BufferFacts<B>['paddingOf'],
  unit: number,
): GrowingRun<B> | undefined {
  if (run.row !== next.row || run.isGathered !== next.isGathered) return undefined;
  if ((run.grad === undefined) !== (next.grad === undefined)) return undefined;
  if (!haveSameLimits(run.constraint, next.constraint)) return undefined;
  const [data, nextData] = [run.data[0]!, next.data[0]!];
  if (data.codec !== nextData.codec) return undefined;
  const start = (nextData.byteOffset - data.byteOffset) / elementByteLengthOf(data);
  const isNext = (last: Piece<B>, piece: Piece<B>): boolean =>
    isPadding(piece.byteOffset - endOf(last), paddingOf(last.buffer, endOf(last)));
  if (!isNext(data, nextData)) return undefined;
  const grad = run.grad?.[0];
  if (grad) {
    const nextGrad = next.grad![0]!;
    if (grad.buffer !== nextGrad.buffer || grad.codec !== nextGrad.codec) return undefined;
    if (nextGrad.byteOffset - grad.byteOffset !== elementByteLengthOf(grad) * start) return undefined;
    if (!isNext(grad, nextGrad)) return undefined;
  }
  if (start % unit !== 0) return undefined;
  const state = appendState(run.state?.[0], next.state?.[0], start);
  if (run.state && !state) return undefined;
  const elementCount = start + nextData.elementCount;
  // Copying the list for each of thousands of tensors would cost their square.
  for (const member of next.members) run.members.push({ ...member, start: member.start + start });
  return {
    row: run.row,
    members: run.members,
    data: [{ ...data, elementCount }],
    ...(grad && { grad: [{ ...grad, elementCount }] }),
    ...(run.isGathered && { isGathered: true }),
    ...(run.constraint && { constraint: run.constraint }),
    ...(state && { state: [state] }),
  };
}

function haveSameLimits(a: PlanTensor<unknown>['constraint'], b: PlanTensor<unknown>['constraint']): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  return a.min === b.min && a.max === b.max;
}

function appendState(
  last: StatePiece | undefined,
  next: StatePiece | undefined,
  start: number,
): StatePiece | undefined {
  if (!last || !next || last.slab !== next.slab || next.element !== last.element + start) return undefined;
  return { ...last, elementCount: start + next.elementCount, isPadded: next.isPadded };
}
