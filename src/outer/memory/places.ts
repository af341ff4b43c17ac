import { alignDown } from '../../kernel/alignment.js';
import { ELEMENT_BYTE_LENGTH, type PlanLimits, type StatePiece } from '../../plan/pieces.js';
import { StatePlaces } from '../../plan/state-places.js';
import { CHUNK_LENGTH } from '../deltas/top-k.js';

/** Elements at whose multiples a tensor begins: whole blocks of 8 bits, and bindings. */
const UNIT = 64;

/** Where the numbers of tensors lie: in as few buffers (slabs) as bindings reach, each tensor at a whole block. */
export interface Places {
  /** Per tensor, in order; a tensor that no slab holds is cut between chunks. */
  readonly ofTensor: readonly (readonly StatePiece[])[];
  readonly slabElementCounts: readonly number[];
}

export function placeTensors(
  elementCounts: readonly number[],
  { maxBufferSize, maxStorageBufferBindingSize }: PlanLimits,
): Places {
  const most = alignDown(
    Math.min(maxBufferSize, maxStorageBufferBindingSize),
    ELEMENT_BYTE_LENGTH * CHUNK_LENGTH,
  );
  const places = new StatePlaces({ maxBufferSize: most }, UNIT, UNIT);
  const ofTensor = elementCounts.map((elementCount) => {
    const pieces: StatePiece[] = [];
    for (let left = elementCount; left > 0;) {
      const piece = places.allocate(Math.min(left, most / ELEMENT_BYTE_LENGTH));
      pieces.push(piece);
      left -= piece.elementCount;
    }
    return pieces;
  });
  return { ofTensor, slabElementCounts: places.elementCounts };
}
