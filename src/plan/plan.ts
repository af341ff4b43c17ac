import { type Batch, planBatches } from './batches.js';
import { type Chunk, cutTogether } from './cut.js';
import { type Run, asRun, joinRuns } from './join.js';
import type { PlanTensor, StatePiece } from './pieces.js';
import { StatePlaces, stateOf } from './state-places.js';
import { type Stretch, type StretchFacts, planNamedRows, planStretches } from './stretch.js';

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
  { paddingOf, limits }: StretchFacts<B>,
  joins: boolean,
): CutRun<B>[] {
  const runs = joins ? joinRuns(tensors, paddingOf) : tensors.map(asRun);
  return runs.map((run) => ({ run, chunks: cutRun(run, limits) }));
}

/** The chunks of a run. */
export function cutRun<B>(run: Run<B>, limits: StretchFacts<B>['limits']): Chunk<B>[] {
  // A table and the sums of its rows are no stretches of one another: each is bound whole.
  if (run.rows)
    return [{ data: run.data[0]!, grad: run.grad![0]!, ...(run.state && { state: run.state[0]! }) }];
  return cutTogether(run.data, run.grad, run.state, limits);
}

/** A place for the state of each tensor, and the elements of the slabs that each slot needs. */
export interface StatePlan {
  readonly stateOfTensor: ReadonlyMap<number, readonly StatePiece[]>;
  readonly slabElementCounts: readonly number[];
}

/** Gives state a place: that of neighbours lies together, that of every chunk begins at a whole lane. */
export function placeState<B>(
  tensors: readonly PlanTensor<B>[],
  facts: StretchFacts<B>,
  joins: boolean,
): StatePlan {
  const places = new StatePlaces(facts.limits);
  const stateOfTensor = new Map<number, readonly StatePiece[]>();
  for (const { run, chunks } of planRuns(tensors, facts, joins)) {
    const placed = chunks.map((chunk) => ({ ...chunk, state: places.allocate(chunk.data.elementCount) }));
    for (const member of run.members) stateOfTensor.set(member.index, stateOf(member, placed));
  }
  return { stateOfTensor, slabElementCounts: places.elementCounts };
}

/** The stretches of a run. */
export function stretchesOf<B>({ run, chunks }: CutRun<B>, facts: StretchFacts<B>): Stretch<B>[] {
  const { row, rows, members } = run;
  const { index } = members[0]!;
  if (rows) return [planNamedRows(index, row, chunks[0]!, rows, facts)];
  return chunks.flatMap((chunk) => planStretches(index, row, chunk, facts));
}

/** How tensors are stepped. */
export interface StepPlan<B> {
  readonly runs: readonly CutRun<B>[];
  readonly batches: readonly Batch<B>[];
}

/**
 * Plans the dispatches of some tensors whose state has a place.
 *
 * @param slotCount state slots that kernels bind.
 * @param joins whether neighbours share dispatches.
 */
export function planStep<B>(
  tensors: readonly PlanTensor<B>[],
  slotCount: number,
  facts: StretchFacts<B>,
  joins: boolean,
): StepPlan<B> {
  const runs = planRuns(tensors, facts, joins);
  const stretches = runs.flatMap((run) => stretchesOf(run, facts));
  return { runs, batches: planBatches(stretches, slotCount, facts.limits, !joins) };
}
