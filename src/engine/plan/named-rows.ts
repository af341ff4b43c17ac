import { bindRange } from './binding.js';
import type { Piece, PlannedDispatch, StateRegion } from './planned.js';
import type { NamedRows } from './runs.js';

/**
 * The dispatch that steps the rows of a list, a lane of the list each: four elements a lane where the rows' length and
 * place allow it, else one.
 *
 * @param grad the sums, a row per entry of the list; from the beginning of a buffer.
 * @param region where the table's state lies: at the same offset modulo 16 bytes as its weights.
 * @param alignment of bindings.
 */
export function planNamedRows<B>(
  parameterIndex: number,
  data: Piece<B>,
  grad: Piece<B>,
  { buffer, rowLength }: NamedRows<B>,
  region: StateRegion,
  alignment: number,
): PlannedDispatch<B> {
  const laneWidth = laneWidthOf(rowLength, data.byteOffset);
  const access = laneWidth === 4 ? 'vector' : 'gather';
  const entryCount = grad.byteLength / (4 * rowLength);
  const rowLanes = rowLength / laneWidth;
  const [dataRange, stateRange] = [bindRange(data, alignment), bindRange(region, alignment)];
  return {
    parameterIndex,
    access: { laneWidth, gradBinding: 'read', dataAccess: access, gradAccess: access, rowLanes },
    data: { buffer: data.buffer, ...dataRange },
    grad: { buffer: grad.buffer, offset: 0, size: grad.byteLength },
    rows: { buffer, offset: 0, size: 4 * entryCount },
    state: { bufferIndex: region.bufferIndex, ...stateRange },
    segment: {
      laneCount: entryCount * rowLanes,
      dataBase: (data.byteOffset - dataRange.offset) / (4 * laneWidth),
      gradBase: 0,
      stateBase: (region.byteOffset - stateRange.offset) / (4 * laneWidth),
      split: 0,
      skip: 0,
    },
  };
}

/** Elements per lane for rows that begin at a byte: whole vec4s where both allow it. */
export function laneWidthOf(rowLength: number, byteOffset: number): 1 | 4 {
  return rowLength % 4 === 0 && byteOffset % 16 === 0 ? 4 : 1;
}
