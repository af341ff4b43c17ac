import { VECTOR, alignUp } from '../kernel/alignment.js';

/** A tensor to be placed: its name, the group that it is stepped with, and its size. */
export interface TensorSize {
  readonly name: string;
  readonly group: string;
  readonly byteLength: number;
}

/** Where a tensor lies. */
export interface Place {
  /** Which of the arena's buffers. */
  readonly bufferIndex: number;
  readonly byteOffset: number;
}

/** Where everything lies. */
export interface ArenaLayout {
  readonly places: ReadonlyMap<string, Place>;
  /** Byte lengths of the buffers. */
  readonly byteLengths: readonly number[];
}

/**
 * Packs tensors into as few buffers as hold them, group after group in order of their first tensors, so that a group's
 * tensors are neighbours. Buffers hold `capacity` bytes at most, and every tensor starts at a multiple of `alignment`.
 *
 * @param capacity what one binding can reach: more would only have to be cut again. A multiple of 16.
 */
export function layOut(tensors: readonly TensorSize[], capacity: number, alignment: number): ArenaLayout {
  const groups = [...new Set(tensors.map(({ group }) => group))];
  const places = new Map<string, Place>();
  const byteLengths: number[] = [];
  for (const group of groups) {
    for (const { name, byteLength } of tensors.filter((tensor) => tensor.group === group)) {
      const last = byteLengths.length - 1;
      const byteOffset = last < 0 ? 0 : alignUp(byteLengths[last]!, alignment);
      if (last >= 0 && byteOffset + byteLength <= capacity) {
        byteLengths[last] = byteOffset + byteLength;
        places.set(name, { bufferIndex: last, byteOffset });
      } else {
        byteLengths.push(byteLength);
        places.set(name, { bufferIndex: last + 1, byteOffset: 0 });
      }
    }
  }
  // Whole vec4s, so that no tensor has an edge that would take a dispatch of its own.
  return { places, byteLengths: byteLengths.map((byteLength) => alignUp(byteLength, VECTOR)) };
}
