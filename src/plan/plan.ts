import { type Batch, joinBatch, planBatches } from './batches.js';
import { type Chunk, type CutFacts, chunkOf, cutTogether } from './cut.js';
import { type Run, asRun, joinRuns } from './join.js';
import { type Piece, type PlanTensor, type StatePiece } from './pieces.js';
import { StatePlaces, stateOf } from './state-places.js';
import { type Stretch, type StretchFacts, formOf, planStretches, stateAlignment } from './stretch.js';

/** A run, cut where bindings need it. */
export interface CutRun<B> {
  readonly run: Run<B>;
  readonly chunks: readonly Chunk<B>[];
}

/**
 * Joins neighbouring tensors of a row and cuts what bindings cannot reach as a whole.
 *
 * @param joins whether neighbours may be joined at all: what is measured of a tensor is not its neighbours'.
 */
export function planRuns<B>(
  tensors: readonly PlanTensor<B>[],
  facts: StretchFacts<B>,
  joins: boolean,
): CutRun<B>[] {
  const { isScaled, cutLength } = formOf(facts);
  const cutFacts = { limits: facts.limits, cutLength, stateAlignment: stateAlignment(facts) };
  // Padding would be rounded together with the elements beside it.
  const paddingOf = isScaled ? () => 0 : facts.paddingOf;
  const runs = joins ? joinRuns(tensors, paddingOf, cutLength) : tensors.map(asRun);
  return runs.map((run) => ({ run, chunks: cutRun(run, cutFacts) }));
}

/** The chunks of a run. */
function cutRun<B>(run: Run<B>, facts: CutFacts): Chunk<B>[] {
  // A table and the sums of its rows are no stretches of one another: each is bound whole.
  if (run.rows) return [chunkOf(run.data[0]!, run.grad?.[0], run.state?.[0])];
  const { rowLength, mask } = run;
  const table = rowLength === undefined ? undefined : { rowLength, ...(mask && { mask }) };
  return cutTogether(run.data, run.grad, run.state, facts, table);
}

/** A place for the state of each tensor, as much as it may ever need there, and the elements of the slabs that each slot needs. */
export interface StatePlan {
  readonly stateOfTensor: ReadonlyMap<number, readonly StatePiece[]>;
  readonly slabElementCounts: readonly number[];
}

/**
 * Gives state a place: that of neighbours lies together, that of every chunk begins at a whole lane, and a whole block.
 *
 * @param roomOf data that a tensor may come to have, if that is more than it has: its state is by itself, and has room for it.
 */
export function placeState<B>(
  tensors: readonly PlanTensor<B>[],
  facts: StretchFacts<B>,
  joins: boolean,
  roomOf: (tensor: number) => readonly Piece<B>[] | undefined = () => undefined,
): StatePlan {
  const places = new StatePlaces(facts.limits, formOf(facts).cutLength, stateAlignment(facts));
  const stateOfTensor = new Map<number, readonly StatePiece[]>();
  const [exact, roomy]: PlanTensor<B>[][] = [[], []];
  for (const tensor of tensors) {
    const data = roomOf(tensor.index);
    // The gradient does not say where state is cut; where it is cut, too, more cuts are made later.
    if (data) roomy!.push({ index: tensor.index, row: tensor.row, data });
    else exact!.push(tensor);
  }
  for (const { run, chunks } of [...planRuns(exact!, facts, joins), ...planRuns(roomy!, facts, false)]) {
    const placed = chunks.map((chunk) => ({ ...chunk, state: places.allocate(chunk.data.elementCount) }));
    for (const member of run.members) stateOfTensor.set(member.index, stateOf(member, placed));
  }
  return { stateOfTensor, slabElementCounts: places.elementCounts };
}

/** The stretches of a run. */
export function stretchesOf<B>({ run, chunks }: CutRun<B>, facts: StretchFacts<B>): Stretch<B>[] {
  let first = 0;
  return chunks.flatMap((chunk) => {
    const stretches = planStretches(run, chunk, facts, first);
    first += chunk.data.elementCount;
    return stretches;
  });
}

/** A run with its stretches, and where these are. */
export interface PlannedRun<B> {
  readonly members: readonly number[];
  stretches: readonly Stretch<B>[];
  /** Per stretch, its batch and which part of it. */
  readonly places: readonly { readonly batch: number; readonly part: number }[];
}

/** How tensors are stepped. Tensors that come to lie elsewhere change it in place; see {@link planMove}. */
export interface StepPlan<B> {
  readonly tensors: Map<number, PlanTensor<B>>;
  readonly runs: PlannedRun<B>[];
  readonly batches: Batch<B>[];
  readonly runOfTensor: ReadonlyMap<number, number>;
}

/**
 * Plans the dispatches of some tensors whose state has a place.
 *
 * @param slotCount state slots that kernels bind.
 * @param joins whether neighbours may be joined.
 * @param isAlone whether each has dispatches of its own.
 */
export function planStep<B>(
  tensors: readonly PlanTensor<B>[],
  slotCount: number,
  facts: StretchFacts<B>,
  joins: boolean,
  isAlone = !joins,
): StepPlan<B> {
  const cut = planRuns(tensors, facts, joins);
  const stretchesOfRun = cut.map((run) => stretchesOf(run, facts));
  const stretches = stretchesOfRun.flat();
  const composition = planBatches(stretches, slotCount, facts.limits, isAlone);
  const places: { batch: number; part: number }[] = [];
  composition.forEach((parts, batch) => parts.forEach((k, part) => (places[k] = { batch, part })));
  let first = 0;
  const runOfTensor = new Map<number, number>();
  const runs = cut.map(({ run: { members } }, k) => {
    const own = stretchesOfRun[k]!;
    for (const { index } of members) runOfTensor.set(index, k);
    return {
      members: members.map(({ index }) => index),
      stretches: own,
      places: places.slice(first, (first += own.length)),
    };
  });
  return {
    tensors: new Map(tensors.map((tensor) => [tensor.index, tensor])),
    runs,
    batches: composition.map((parts) => joinBatch(parts.map((k) => stretches[k]!))),
    runOfTensor,
  };
}
