import { alignUp } from '../kernel/alignment.js';
import { LANE } from '../codecs/codec.js';

/** A tensor to be placed: its name, the group that it is stepped with, and its size. */
export interface TensorSize {
  readonly name: string;
  readonly group: string;
  readonly elementCount: number;
}

/** Where a tensor lies. */
export interface Place {
  /** Which of the arena's buffers. */
  readonly bufferIndex: number;
  /** Its first element, in that buffer and in the gradients'. */
  readonly element: number;
}

/** Where everything lies. */
export interface ArenaLayout {
  readonly places: ReadonlyMap<string, Place>;
  /** Elements of the buffers. */
  readonly elementCounts: readonly number[];
}

/**
 * Packs tensors into as few buffers as hold them, group after group in order of their first tensors, so that a group's
 * tensors are neighbours. Buffers hold `capacity` elements at most, and every tensor starts at a multiple of `alignment`.
 *
 * @param capacity what one binding can reach: more would only have to be cut again. A multiple of 4.
 */
export function layOut(tensors: readonly TensorSize[], capacity: number, alignment: number): ArenaLayout {
  const groups = [...new Set(tensors.map(({ group }) => group))];
  const places = new Map<string, Place>();
  const elementCounts: number[] = [];
  for (const group of groups) {
    for (const { name, elementCount } of tensors.filter((tensor) => tensor.group === group)) {
      const last = elementCounts.length - 1;
      const element = last < 0 ? 0 : alignUp(elementCounts[last]!, alignment);
      if (last >= 0 && element + elementCount <= capacity) {
        elementCounts[last] = element + elementCount;
        places.set(name, { bufferIndex: last, element });
      } else {
        elementCounts.push(elementCount);
        places.set(name, { bufferIndex: last + 1, element: 0 });
      }
    }
  }
  // Whole lanes, so that no tensor has an edge that would take a dispatch of its own.
  return { places, elementCounts: elementCounts.map((elementCount) => alignUp(elementCount, LANE)) };
}
