import { alignUp } from '../../kernel/alignment.js';
import { bindingAlignment } from '../cut.js';
import { joinRuns } from '../join.js';
import { ELEMENT_BYTE_LENGTH, type PlanLimits, type PlanTensor } from '../pieces.js';
import { LANE } from '../../codecs/codec.js';
import type { StretchFacts } from '../stretch.js';
import type { Fragment } from './fragments.js';

/** Elements of a copy that lie behind one another. */
export interface CopyPlace {
  readonly slab: number;
  readonly lane: number;
  readonly elementCount: number;
}

const LANE_BYTE_LENGTH = ELEMENT_BYTE_LENGTH * LANE;
/** Lanes from which on a copy begins where a binding may. */
const LARGE_LANES = 1024;

/** Where a fragment is copied to. */
export type Place = Pick<CopyPlace, 'slab' | 'lane'>;

/** Packs copies one behind the other into as few buffers as one binding each can reach. */
export class Slabs {
  /** Per buffer. */
  readonly laneCounts: number[] = [];
  /** Lanes that one can have. */
  readonly most: number;
  readonly #alignment: number;

  constructor(limits: PlanLimits) {
    const { maxStorageBufferBindingSize, maxBufferSize } = limits;
    this.most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / LANE_BYTE_LENGTH);
    this.#alignment = bindingAlignment(limits) / LANE_BYTE_LENGTH;
  }

  allocate(laneCount: number): Place {
    const last = this.laneCounts.length - 1;
    const lane = alignUp(this.laneCounts[last] ?? 0, laneCount >= LARGE_LANES ? this.#alignment : 1);
    if (last >= 0 && lane + laneCount <= this.most) {
      this.laneCounts[last] = lane + laneCount;
      return { slab: last, lane };
    }
    this.laneCounts.push(laneCount);
    return { slab: last + 1, lane: 0 };
  }
}

/**
 * Gives each gradient a place. Tensors that dispatches cover as one stay as far from one another as they are, so that they go on
 * to be covered as one.
 */
export function placeCopies<B>(
  tensors: readonly PlanTensor<B>[],
  ofTensor: ReadonlyMap<number, readonly Fragment<B>[]>,
  { paddingOf }: StretchFacts<B>,
  slabs: Slabs,
): Map<Fragment<B>, Place> {
  const places = new Map<Fragment<B>, Place>();
  for (const { members } of joinRuns(tensors, paddingOf)) {
    const last = members.at(-1)!;
    const laneCount = Math.ceil((last.start + last.elementCount) / LANE);
    // One by itself may have a gradient of another length: the entries of a sparse one.
    const staysTogether =
      members.length > 1 &&
      laneCount <= slabs.most &&
      members.every(({ index, start }) => start % LANE === 0 && ofTensor.get(index)!.length === 1);
    const whole = staysTogether ? slabs.allocate(laneCount) : undefined;
    for (const { index, start } of members) {
      for (const fragment of ofTensor.get(index)!) {
        const place = whole
          ? { ...whole, lane: whole.lane + start / LANE }
          : slabs.allocate(Math.ceil(fragment.elementCount / LANE));
        places.set(fragment, place);
      }
    }
  }
  return places;
}
