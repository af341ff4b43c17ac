import { countStorageBindings } from '../../kernel/compose-access.js';
import { type Rule, tensorOf } from '../../rules/rule.js';
import type { PlanLimits, PlannedBinding, PlannedDispatch } from './planned.js';

/** What one dispatch of a step kernel covers: a planned dispatch, or several small ones of one kind. */
export interface Batch<B> {
  /** The planned dispatches, in order; `stateBase` counts from the beginning of `state`. */
  readonly parts: readonly PlannedDispatch<B>[];
  readonly access: PlannedDispatch<B>['access'];
  /** A stretch that holds the state of all parts; what lies between is that of others and is not touched. */
  readonly state: PlannedDispatch<B>['state'];
}

/** Lanes of a tensor up to which sharing a dispatch saves time; measured on a CPU adapter, see bench/README.md. */
const MOST_LANES = 512;
/** More would make kernels longer, and save less and less. */
const MOST_TOGETHER = 8;

/**
 * How many tensors one dispatch can step with those of a dispatch; 1 if it stays by itself.
 *
 * @param storageBufferCount storage buffers that a kernel's group 0 may have.
 */
export function batchCapacity<B>(
  rule: Rule,
  { access, segment }: PlannedDispatch<B>,
  storageBufferCount: number,
): number {
  // A kernel binds one tensor's record, or one list of rows.
  if (tensorOf(rule) || access.rowLanes !== undefined || segment.laneCount > MOST_LANES) return 1;
  const { perTensor, shared } = countStorageBindings(rule, access);
  return Math.min(Math.floor((storageBufferCount - shared) / perTensor), MOST_TOGETHER);
}

/**
 * Shares out planned dispatches among as few dispatches as bindings allow: those of one kind, each with the first that
 * have room for it and no binding that rules it out.
 *
 * @param capacityOf how many tensors one dispatch of such a kernel can step; 1 for what stays by itself.
 * @returns per dispatch to make, the indices of its parts in ascending order.
 */
export function planBatches<B>(
  dispatches: readonly PlannedDispatch<B>[],
  { maxStorageBufferBindingSize }: Pick<PlanLimits, 'maxStorageBufferBindingSize'>,
  capacityOf: (dispatch: PlannedDispatch<B>) => number,
): number[][] {
  const batches: number[][] = [];
  const openOfKind = new Map<string, number[][]>();
  const hasPlace = (parts: readonly number[], dispatch: PlannedDispatch<B>): boolean =>
    spanStates([dispatches[parts[0]!]!, dispatch]).size <= maxStorageBufferBindingSize &&
    parts.every((k) => canShare(dispatches[k]!, dispatch));
  dispatches.forEach((dispatch, k) => {
    const capacity = capacityOf(dispatch);
    if (capacity === 1) {
      batches.push([k]);
      return;
    }
    const kind = JSON.stringify([dispatch.access, dispatch.state.bufferIndex]);
    let open = openOfKind.get(kind);
    if (!open) openOfKind.set(kind, (open = []));
    let batch = open.find((parts) => hasPlace(parts, dispatch));
    if (!batch) {
      open.push((batch = []));
      batches.push(batch);
    }
    batch.push(k);
    if (batch.length === capacity) open.splice(open.indexOf(batch), 1);
  });
  return batches;
}

/** The parts as one dispatch. */
export function joinBatch<B>(dispatches: readonly PlannedDispatch<B>[]): Batch<B> {
  const { access } = dispatches[0]!;
  const state = spanStates(dispatches);
  const parts = dispatches.map((dispatch) => {
    const ahead = (dispatch.state.offset - state.offset) / (4 * access.laneWidth);
    return { ...dispatch, segment: { ...dispatch.segment, stateBase: dispatch.segment.stateBase + ahead } };
  });
  return { parts, access: parts.length === 1 ? access : { ...access, together: parts.length }, state };
}

/** Lanes of the largest part: what the dispatch must cover. */
export function mostLanes<B>({ parts }: Batch<B>): number {
  return Math.max(...parts.map(({ segment }) => segment.laneCount));
}

/** Whether one dispatch can bind both: WebGPU lets no buffer be read and written, and no writable ranges overlap. */
export function canShare<B>(a: PlannedDispatch<B>, b: PlannedDispatch<B>): boolean {
  const others = boundRanges(b);
  return boundRanges(a).every((range) =>
    others.every(
      (other) =>
        range.buffer !== other.buffer ||
        (range.isWritten === other.isWritten && !(range.isWritten && overlap(range, other))),
    ),
  );
}

function boundRanges<B>({ data, grad, access }: PlannedDispatch<B>) {
  const written = { ...data, isWritten: true };
  return grad ? [written, { ...grad, isWritten: access.gradBinding !== 'read' }] : [written];
}

function overlap<B>(a: PlannedBinding<B>, b: PlannedBinding<B>): boolean {
  return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

/** The stretch from the first state to the end of the last; they lie in the order of the dispatches. */
function spanStates<B>(dispatches: readonly PlannedDispatch<B>[]): PlannedDispatch<B>['state'] {
  const { bufferIndex, offset } = dispatches[0]!.state;
  const last = dispatches.at(-1)!.state;
  return { bufferIndex, offset, size: last.offset + last.size - offset };
}
