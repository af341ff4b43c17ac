import { alignUp } from '../kernel/alignment.js';
import type { Chunk } from './cut.js';
import type { RunMember } from './join.js';
import { ELEMENT_BYTE_LENGTH, type PlanLimits, type StatePiece } from './pieces.js';
import { LANE } from '../codecs/codec.js';

/**
 * From this many alignments on, state begins where a binding may: a binding of the largest size has no byte to spare, and what lies in
 * between is little of it.
 */
const LARGE = 64;

/** Packs state one behind the other into as few slabs as the device's limit allows; each begins at a whole lane, and a whole block. */
export class StatePlaces {
  readonly #most: number;
  readonly #alignment: number;
  readonly #unit: number;
  /** Elements of each slab. */
  readonly elementCounts: number[] = [];

  /**
   * @param cutLength elements at whose multiples a tensor may begin.
   * @param alignment elements at whose multiples a binding may.
   */
  constructor({ maxBufferSize }: Pick<PlanLimits, 'maxBufferSize'>, cutLength: number, alignment: number) {
    this.#unit = Math.max(LANE, cutLength);
    this.#most = maxBufferSize / ELEMENT_BYTE_LENGTH;
    this.#alignment = alignment;
  }

  allocate(elementCount: number): StatePiece {
    const alignment = elementCount >= LARGE * this.#alignment ? this.#alignment : this.#unit;
    const taken = alignUp(elementCount, this.#unit);
    const last = this.elementCounts.length - 1;
    const element = last < 0 ? 0 : alignUp(this.elementCounts[last]!, alignment);
    if (last >= 0 && element + taken <= this.#most) {
      this.elementCounts[last] = element + taken;
      return { slab: last, element, elementCount, isPadded: true };
    }
    this.elementCounts.push(taken);
    return { slab: last + 1, element: 0, elementCount, isPadded: true };
  }
}

/** The state of one member of a run, from that of the run's chunks. */
export function stateOf<B>({ start, elementCount }: RunMember, chunks: readonly Chunk<B>[]): StatePiece[] {
  const own: StatePiece[] = [];
  let done = 0;
  for (const { state } of chunks) {
    const from = Math.max(start - done, 0);
    const to = Math.min(start + elementCount - done, state!.elementCount);
    if (from < to) {
      const isPadded = state!.isPadded && to === state!.elementCount;
      own.push({ slab: state!.slab, element: state!.element + from, elementCount: to - from, isPadded });
    }
    done += state!.elementCount;
  }
  return own;
}

/** Where the first elements of a tensor's state lie; what is behind them is the tensor's own. */
export function firstPieces(pieces: readonly StatePiece[], elementCount: number): readonly StatePiece[] {
  const first: StatePiece[] = [];
  let left = elementCount;
  for (const piece of pieces) {
    if (left === 0) break;
    const count = Math.min(left, piece.elementCount);
    first.push(count === piece.elementCount ? piece : { ...piece, elementCount: count, isPadded: true });
    left -= count;
  }
  return first;
}
