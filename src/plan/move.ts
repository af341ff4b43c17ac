import { OptimizerError, quote } from '../errors.js';
import type { Mutable } from '../mutable.js';
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
  const stretchesOfRun = new Map<number, readonly Stretch<B>[]>();
  const partsOf = new Map<number, Stretch<B>[]>();
  const batches = new Map<number, Batch<B>>();
  const replanned = (run: PlannedRun<B>, index: number): Stretch<B>[] => {
    const tensors = run.members.map((member) => changed.get(member) ?? plan.tensors.get(member)!);
    const planned = planRuns(tensors, facts, tensors.length > 1);
    const stretches = planned.flatMap((each) => stretchesOf(each, facts));
    const differing = firstDifference(run.stretches, stretches);
    if (planned.length > 1 || differing) throw otherKernels(nameOf(differing?.index ?? index));
    return stretches;
  };
  for (const [index, tensor] of changed) {
    const k = plan.runOfTensor.get(index);
    if (k === undefined || stretchesOfRun.has(k)) continue;
    const run = plan.runs[k]!;
    const stretches = swapped(run, plan.tensors.get(index)!, tensor, facts) ?? replanned(run, index);
    stretchesOfRun.set(k, stretches);
    for (let s = 0; s < stretches.length; s++) {
      const { batch, part } = run.places[s]!;
      let parts = partsOf.get(batch);
      if (!parts) partsOf.set(batch, (parts = [...plan.batches[batch]!.parts]));
      parts[part] = stretches[s]!;
    }
  }
  for (const [k, parts] of partsOf) {
    rejectUnshareable(parts, nameOf);
    batches.set(k, joinBatch(parts));
  }
  const commit = (): void => {
    for (const [index, tensor] of changed) if (plan.tensors.has(index)) plan.tensors.set(index, tensor);
    for (const [k, stretches] of stretchesOfRun) plan.runs[k]!.stretches = stretches;
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
  const [stretch] = stretches as [Stretch<B>];
  const { rowLength, gradBinding } = stretch.access;
  if (members.length + stretches.length > 2 || rowLength !== undefined) return undefined;
  const data = bindElsewhere(stretch.data, before.data, after.data, facts);
  const grad = bindElsewhere(stretch.grad, before.grad, after.grad, facts);
  // In one buffer, weights and gradients share bindings.
  if (!data || !grad || gradBinding === 'read_write' || data.buffer === grad.buffer) return undefined;
  const swap: Mutable<Stretch<B>> = { ...stretch };
  swap.data = data;
  swap.grad = grad;
  return [swap];
}

/** What is bound where a tensor lies elsewhere and kernels reach both places alike; nothing where they might not. */
function bindElsewhere<B>(
  binding: Binding<B> | undefined,
  before: readonly Piece<B>[] | undefined,
  after: readonly Piece<B>[] | undefined,
  facts: StretchFacts<B>,
): Binding<B> | undefined {
  if (!binding || before?.length !== 1 || after?.length !== 1) return undefined;
  const [a, b] = [before[0]!, after[0]!];
  const bytes = b.byteOffset - a.byteOffset;
  if (bytes % bindingAlignment(facts.limits) !== 0 || canRead(a, facts) !== canRead(b, facts))
    return undefined;
  return { buffer: b.buffer, offset: binding.offset + bytes, size: binding.size };
}

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
    const other = parts.find((earlier, j) => j < k && !canShare(earlier, part));
    if (!other) return;
    const [one, two] = [other, part].map(({ index }) => quote(nameOf(index)));
    throw new OptimizerError(
      'invalid-parameter',
      `rebind(): parameters ${one} and ${two} are stepped by one dispatch, and what one writes would lie in a buffer of the ` +
        "other's; give buffers of their own, or create a new optimizer from a state dict.",
    );
  });
}
