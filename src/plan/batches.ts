import type { Binding, PlanLimits } from './pieces.js';
import { ELEMENT_BYTE_LENGTH } from './pieces.js';
import type { StateRange, Stretch, StretchAccess } from './stretch.js';

/** What one dispatch of a step kernel covers: a stretch, or several small ones of one kind and row. */
export interface Batch<B> {
  readonly row: number;
  readonly access: StretchAccess;
  readonly parts: readonly Stretch<B>[];
  /** Of gathered gradients, what holds those of all parts. */
  readonly grad?: Binding<B>;
  /** A range that holds the state of all parts; what lies between is that of others and is not touched. */
  readonly state?: StateRange;
  /** Lanes of the largest part: what the dispatch must cover. */
  readonly laneCount: number;
}

/** Lanes of a tensor up to which sharing a dispatch saves time; measured on a CPU adapter, see bench/README.md. */
const MOST_LANES = 512;
/** More would make kernels longer, and save less and less. */
const MOST_TOGETHER = 8;
/** Batches with room that a stretch is tried in: of many that cannot share, each would be tried with all others. */
const MOST_OPEN = 8;

/** Storage buffers that a step kernel binds: those per tensor, and those that all its tensors share. */
export function countStorageBindings(
  { gradBinding, isListed, isMasked, isCounted }: StretchAccess,
  slotCount: number,
): { readonly perTensor: number; readonly shared: number } {
  return {
    perTensor: gradBinding === 'read' || gradBinding === 'read_write' ? 2 : 1,
    shared:
      slotCount +
      Number(isListed ?? false) +
      Number(isMasked ?? false) +
      Number(isCounted ?? false) +
      Number(gradBinding === 'gathered'),
  };
}

/**
 * How many tensors one dispatch can step with those of a stretch; 1 if it stays by itself.
 *
 * @param slotCount state slots that kernels bind.
 */
function capacityOf<B>({ access, laneCount }: Stretch<B>, slotCount: number, limits: PlanLimits): number {
  // A kernel binds one list of rows, or one mask, and knows one length of them.
  if (access.rowLength !== undefined || laneCount > MOST_LANES) return 1;
  const { perTensor, shared } = countStorageBindings(access, slotCount);
  const room = Math.floor((limits.maxStorageBuffersPerShaderStage - shared) / perTensor);
  return Math.max(1, Math.min(room, MOST_TOGETHER));
}

/**
 * Shares out stretches among as few dispatches as bindings allow: those of one kind and row, each with the first that have
 * room for it and no binding that rules it out.
 *
 * @param slotCount state slots that kernels bind.
 * @param isAlone whether every stretch stays by itself.
 * @returns per dispatch, the stretches that it covers, by their places in the list.
 */
export function planBatches<B>(
  stretches: readonly Stretch<B>[],
  slotCount: number,
  limits: PlanLimits,
  isAlone: boolean,
): number[][] {
  const batches: number[][] = [];
  const openOfKind = new Map<string, number[][]>();
  stretches.forEach((stretch, k) => {
    const capacity = isAlone ? 1 : capacityOf(stretch, slotCount, limits);
    if (capacity === 1) {
      batches.push([k]);
      return;
    }
    const kind = kindOf(stretch);
    let open = openOfKind.get(kind);
    if (!open) openOfKind.set(kind, (open = []));
    let batch = open.find((parts) =>
      hasPlace(
        parts.map((part) => stretches[part]!),
        stretch,
        limits,
      ),
    );
    if (!batch) {
      batches.push((batch = []));
      open.push(batch);
      if (open.length > MOST_OPEN) open.shift();
    }
    batch.push(k);
    if (batch.length === capacity) open.splice(open.indexOf(batch), 1);
  });
  return batches;
}

function kindOf<B>({ access, row, state: range }: Stretch<B>): string {
  const { data, grad, state, gradBinding, isLimited, dataCodec, gradCodec } = access;
  return `${dataCodec?.name} ${gradCodec?.name} ${data} ${grad} ${state} ${gradBinding} ${row} ${range?.slab} ${isLimited}`;
}

function hasPlace<B>(parts: readonly Stretch<B>[], stretch: Stretch<B>, limits: PlanLimits): boolean {
  const range = spanState([...parts, stretch]);
  if (range && ELEMENT_BYTE_LENGTH * range.elementCount > limits.maxStorageBufferBindingSize) return false;
  if (stretch.access.gradBinding === 'gathered') {
    const { size } = spanGradients([...parts, stretch]);
    if (size > limits.maxStorageBufferBindingSize) return false;
  }
  return parts.every((part) => canShare(part, stretch));
}

/** The parts as one dispatch. */
export function joinBatch<B>(parts: readonly Stretch<B>[]): Batch<B> {
  const { row, access } = parts[0]!;
  const state = spanState(parts);
  const grad = access.gradBinding === 'gathered' ? spanGradients(parts) : undefined;
  const laneCount = parts.reduce((most, part) => Math.max(most, part.laneCount), 0);
  return { row, access, parts, ...(state && { state }), ...(grad && { grad }), laneCount };
}

/** The range from the first state to the end of the last; they may lie in any order. */
function spanState<B>(parts: readonly Stretch<B>[]): StateRange | undefined {
  const first = parts[0]!.state;
  if (!first) return undefined;
  let [element, end] = [Infinity, 0];
  for (const { state } of parts) {
    element = Math.min(element, state!.element);
    end = Math.max(end, state!.element + state!.elementCount);
  }
  return { slab: first.slab, element, elementCount: end - element };
}

/** The binding from the first gradient to the end of the last, all in one buffer. */
function spanGradients<B>(parts: readonly Stretch<B>[]): Binding<B> {
  const { buffer } = parts[0]!.grad!;
  const offset = Math.min(...parts.map(({ grad }) => grad!.offset));
  const end = Math.max(...parts.map(({ grad }) => grad!.offset + grad!.size));
  return { buffer, offset, size: end - offset };
}

/** Whether one dispatch can bind both: WebGPU lets no buffer be read and written, and no writable ranges overlap. */
export function canShare<B>(a: Stretch<B>, b: Stretch<B>): boolean {
  const isWrittenA = a.access.gradBinding === 'read_write';
  const isWrittenB = b.access.gradBinding === 'read_write';
  return !(
    doClash(a.data, true, b.data, true) ||
    doClash(a.data, true, b.grad, isWrittenB) ||
    doClash(a.grad, isWrittenA, b.data, true) ||
    doClash(a.grad, isWrittenA, b.grad, isWrittenB)
  );
}

function doClash<B>(
  a: Binding<B> | undefined,
  isWrittenA: boolean,
  b: Binding<B> | undefined,
  isWrittenB: boolean,
): boolean {
  if (a === undefined || a.buffer !== b?.buffer) return false;
  return isWrittenA !== isWrittenB || (isWrittenA && overlap(a, b));
}

function overlap<B>(a: Binding<B>, b: Binding<B>): boolean {
  return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}
