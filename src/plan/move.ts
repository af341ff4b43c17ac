import { OptimizerError, quote } from '../errors.js';
import { type Batch, canShare, joinBatch } from './batches.js';
import { bindingAlignment } from './cut.js';
import type { Binding, Piece, PlanTensor } from './pieces.js';
import { type PlannedRun, type StepPlan, planRuns, stretchesOf } from './plan.js';
import { type Stretch, type StretchFacts, canRead } from './stretch.js';

/** What differs where tensors lie elsewhere. */
export interface Move<B> {
  /** By their numbers in the plan. */
  readonly batches: ReadonlyMap<number, Batch<B>>;
  /** Makes the change; cannot fail. */
  commit(): void;
}

/**
 * Plans the same dispatches over tensors of which some lie elsewhere; only what these have a part in is looked at.
 *
 * @param changed by index; tensors that the plan does not have are passed over.
 * @throws OptimizerError `invalid-parameter` unless dispatches differ in buffers and aligned offsets only.
 */
export function planMove<B>(
  plan: StepPlan<B>,
  changed: ReadonlyMap<number, PlanTensor<B>>,
  facts: StretchFacts<B>,
  nameOf: (tensor: number) => string,
): Move<B> {
  const runs = new Map<number, PlannedRun<B>>();
  const batches = new Map<number, Batch<B>>();
  const replanned = (run: PlannedRun<B>, index: number): Stretch<B>[] => {
    const tensors = run.members.map((member) => changed.get(member) ?? plan.tensors.get(member)!);
    const moved = planRuns(tensors, facts, tensors.length > 1);
    const stretches = moved.flatMap((each) => stretchesOf(each, facts));
    const differing = firstDifference(run.stretches, stretches);
    if (moved.length > 1 || differing) throw otherKernels(nameOf(differing?.index ?? index));
    return stretches;
  };
  for (const index of changed.keys()) {
    const k = plan.runOfTensor.get(index);
    if (k === undefined || runs.has(k)) continue;
    const run = plan.runs[k]!;
    const stretches =
      swapped(run, plan.tensors.get(index)!, changed.get(index)!, facts) ?? replanned(run, index);
    runs.set(k, { ...run, stretches });
    run.places.forEach(({ batch, part }, s) => {
      const parts = (batches.get(batch) ?? plan.batches[batch]!).parts.with(part, stretches[s]!);
      batches.set(batch, { ...plan.batches[batch]!, parts });
    });
  }
  for (const [k, { parts }] of batches) {
    rejectUnshareable(parts, nameOf);
    batches.set(k, joinBatch(parts));
  }
  const commit = (): void => {
    for (const [index, tensor] of changed) if (plan.tensors.has(index)) plan.tensors.set(index, tensor);
    for (const [k, run] of runs) plan.runs[k] = run;
    for (const [k, batch] of batches) plan.batches[k] = batch;
  };
  return { batches, commit };
}

/**
 * The stretch of a run that is one tensor, where that lies alike in other buffers: as planned anew, for less. Most changes are
 * such, and some frameworks make thousands at every step.
 */
function swapped<B>(
  { members, stretches }: PlannedRun<B>,
  before: PlanTensor<B>,
  after: PlanTensor<B>,
  facts: StretchFacts<B>,
): Stretch<B>[] | undefined {
  if (
    members.length > 1 ||
    stretches.length > 1 ||
    before.rows ||
    before.rowLength !== undefined ||
    !before.grad ||
    !after.grad
  )
    return undefined;
  // In one buffer, weights and gradients share bindings.
  if (before.data[0]!.buffer === before.grad[0]!.buffer) return undefined;
  if (after.data[0]!.buffer === after.grad[0]!.buffer) return undefined;
  const data = distance(before.data, after.data, facts);
  const grad = distance(before.grad, after.grad, facts);
  if (data === undefined || grad === undefined) return undefined;
  const [stretch] = stretches;
  return [
    {
      ...stretch!,
      data: moved(stretch!.data, after.data[0]!, data),
      grad: moved(stretch!.grad!, after.grad[0]!, grad),
    },
  ];
}

/** Bytes from one place to another where kernels reach both alike; none where they might not. */
function distance<B>(
  before: readonly Piece<B>[],
  after: readonly Piece<B>[],
  facts: StretchFacts<B>,
): number | undefined {
  const [a, b] = [before[0]!, after[0]!];
  if (before.length > 1 || after.length > 1 || a.elementCount !== b.elementCount) return undefined;
  const bytes = b.byteOffset - a.byteOffset;
  const isAlike = bytes % bindingAlignment(facts.limits) === 0 && canRead(a, facts) === canRead(b, facts);
  return isAlike ? bytes : undefined;
}

const moved = <B>({ offset, size }: Binding<B>, { buffer }: Piece<B>, bytes: number): Binding<B> => ({
  buffer,
  offset: offset + bytes,
  size,
});

function firstDifference<B>(
  before: readonly Stretch<B>[],
  after: readonly Stretch<B>[],
): Stretch<B> | undefined {
  for (let k = 0; k < Math.max(before.length, after.length); k++) {
    const [a, b] = [before[k], after[k]];
    if (!a || !b || !hasSameStructure(a, b)) return b ?? a;
  }
  return undefined;
}

const STRUCTURE = ['index', 'elementCount', 'laneCount', 'dataBase', 'gradBase', 'stateStart'] as const;
/** What rebinding may change; all else of an access stays. */
const ACCESS = ['data', 'grad', 'state', 'gradBinding', 'dataStride', 'gradStride'] as const;

/** Whether two stretches differ in what is bound alone. */
function hasSameStructure<B>(a: Stretch<B>, b: Stretch<B>): boolean {
  return (
    STRUCTURE.every((key) => a[key] === b[key]) && ACCESS.every((key) => a.access[key] === b.access[key])
  );
}

/** The tensor would need other kernels where it is to lie. */
export function otherKernels(name: string): OptimizerError {
  return new OptimizerError(
    'invalid-parameter',
    `rebind(): parameter ${quote(name)} would lie so differently that other kernels are needed; give ranges with the ` +
      'same offsets modulo 256 bytes, cut at the same places, or create a new optimizer from a state dict.',
  );
}

/** @throws OptimizerError `invalid-parameter` unless one dispatch can bind all of these, as it did before. */
function rejectUnshareable<B>(parts: readonly Stretch<B>[], nameOf: (tensor: number) => string): void {
  parts.forEach((part, k) => {
    const other = parts.slice(0, k).find((earlier) => !canShare(earlier, part));
    if (!other) return;
    const [one, two] = [other, part].map(({ index }) => quote(nameOf(index)));
    throw new OptimizerError(
      'invalid-parameter',
      `rebind(): parameters ${one} and ${two} are stepped by one dispatch, and what one writes would lie in a buffer of the ` +
        "other's; give buffers of their own, or create a new optimizer from a state dict.",
    );
  });
}
