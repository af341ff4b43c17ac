import { VECTOR, alignUp } from '../../kernel/alignment.js';
import type { Piece } from './planned.js';

/** A tensor: pieces of buffers, in order, for weights and gradients; both hold the same number of bytes, but for sparse gradients. */
export interface Tensor<B> {
  readonly data: readonly Piece<B>[];
  readonly grad: readonly Piece<B>[];
  /** If the gradient is that of some rows: what `grad` holds belongs to the rows that this lists. It joins no other. */
  readonly named?: NamedRows<B>;
}

/** The list of the rows that a sparse gradient names. */
export interface NamedRows<B> {
  readonly buffer: B;
  /** Elements per row. */
  readonly rowLength: number;
}

/** Tensors that dispatches may cover as one. */
export interface Run<B> extends Tensor<B> {
  readonly members: readonly RunMember[];
}

/** A tensor of a run: which, and the byte of the run at which it begins. */
export interface RunMember {
  readonly index: number;
  readonly start: number;
  readonly byteLength: number;
}

interface GrowingRun<B> extends Run<B> {
  readonly members: RunMember[];
}

/** Behind a tensor of a buffer lie fewer bytes than this that are nobody's, up to the next multiple of it. */
export type PaddingOf<B> = (buffer: B) => number;

/**
 * Joins tensors that lie behind one another in one buffer, weights and gradients alike: thousands of tensors cost
 * what their bytes cost, not a dispatch each. What lies between them is covered too, so it may be padding at most.
 */
export function findRuns<B>(tensors: readonly Tensor<B>[], paddingOf: PaddingOf<B>): Run<B>[] {
  const runs = tensors.map(asRun);
  const isWhole = ({ data, grad, named }: Tensor<B>) => !named && data.length === 1 && grad.length === 1;
  const joined = groupBy(runs.filter(isWhole), ({ data }) => data[0]!.buffer).flatMap((list) =>
    joinNeighbours(
      list.toSorted((a, b) => a.data[0]!.byteOffset - b.data[0]!.byteOffset),
      (run, next) => append(run, next, paddingOf),
    ),
  );
  return [...runs.filter((run) => !isWhole(run)), ...joined.map((run) => fillUp(run, paddingOf))].toSorted(
    (a, b) => a.members[0]!.index - b.members[0]!.index,
  );
}

/** A tensor by itself, by its index. */
export function asRun<B>({ data, grad, named }: Tensor<B>, index: number): GrowingRun<B> {
  const byteLength = data.reduce((sum, piece) => sum + piece.byteLength, 0);
  return { data, grad, ...(named && { named }), members: [{ index, start: 0, byteLength }] };
}

/**
 * Joins pieces that lie behind one another in one buffer, but for padding.
 *
 * @param overlapping whether pieces that share bytes are joined as well; otherwise each stays by itself.
 */
export function joinPieces<B>(
  pieces: readonly Piece<B>[],
  paddingOf: PaddingOf<B>,
  overlapping: boolean,
): Piece<B>[] {
  return groupBy(pieces, ({ buffer }) => buffer).flatMap((list) =>
    joinNeighbours(
      list.toSorted((a, b) => a.byteOffset - b.byteOffset),
      (last, next) => {
        const gap = next.byteOffset - (last.byteOffset + last.byteLength);
        if (!isPadding(gap, paddingOf(last.buffer)) && !(overlapping && gap < 0)) return undefined;
        const byteLength = Math.max(last.byteLength, next.byteOffset + next.byteLength - last.byteOffset);
        return { ...last, byteLength };
      },
    ),
  );
}

function isPadding(gap: number, padding: number): boolean {
  return gap === 0 || (gap > 0 && gap < padding);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): T[][] {
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

/** The run up to a whole vec4, where that is padding: an edge would be a dispatch more. */
function fillUp<B>(run: Run<B>, paddingOf: PaddingOf<B>): Run<B> {
  const [data, grad] = [run.data[0]!, run.grad[0]!];
  if (Math.min(paddingOf(data.buffer), paddingOf(grad.buffer)) < VECTOR) return run;
  const byteLength = alignUp(data.byteLength, VECTOR);
  return { ...run, data: [{ ...data, byteLength }], grad: [{ ...grad, byteLength }] };
}

/** The run with the next one at its end, if that may be; `run` is used up then. */
function append<B>(
  run: GrowingRun<B>,
  next: GrowingRun<B>,
  paddingOf: PaddingOf<B>,
): GrowingRun<B> | undefined {
  const [data, grad] = [run.data[0]!, run.grad[0]!];
  const [nextData, nextGrad] = [next.data[0]!, next.grad[0]!];
  if (grad.buffer !== nextGrad.buffer) return undefined;
  const start = nextData.byteOffset - data.byteOffset;
  if (nextGrad.byteOffset - grad.byteOffset !== start) return undefined;
  const gap = start - data.byteLength;
  if (!isPadding(gap, Math.min(paddingOf(data.buffer), paddingOf(grad.buffer)))) return undefined;
  const byteLength = start + nextData.byteLength;
  // Copying the list for each of thousands of tensors would cost their square.
  run.members.push(...next.members.map((member) => ({ ...member, start: member.start + start })));
  return { data: [{ ...data, byteLength }], grad: [{ ...grad, byteLength }], members: run.members };
}
