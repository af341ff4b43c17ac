import * as BufferUsage from '../../gpu/buffer-usage.js';
import { ELEMENT_BYTE_LENGTH, type Piece } from '../../plan/pieces.js';
import type { RowMap, RowMapper } from '../../stages/rows/map-rows.js';

/** Rows of weights, from where they are to where they are to be; a fresh one is what is there. */
export interface WeightMove {
  readonly map: RowMap;
  readonly before: readonly Piece<GPUBuffer>[];
  readonly after: readonly Piece<GPUBuffer>[];
}

/**
 * Encodes that the weights of some parameters move, all at once. What comes to lie in a buffer that rows come from, its own or
 * another parameter's, goes through a copy.
 */
export function encodeWeights(
  device: GPUDevice,
  pass: GPUComputePassEncoder,
  mapper: RowMapper,
  moves: readonly WeightMove[],
  label: string,
): void {
  const sources = new Set(moves.flatMap(({ before }) => before.map(({ buffer }) => buffer)));
  const back: (() => void)[] = [];
  moves.forEach(({ map, before, after }, k) => {
    // Of one map, all have the same strays.
    const countsStrays = k === 0;
    if (after.every(({ buffer }) => !sources.has(buffer))) {
      mapper.encode(pass, { map, source: before, target: after, countsStrays });
      return;
    }
    const copy = after.map(({ elementCount }): Piece<GPUBuffer> => {
      const size = ELEMENT_BYTE_LENGTH * elementCount;
      const buffer = device.createBuffer({ label: `${label} weights`, size, usage: BufferUsage.STORAGE });
      return { buffer: mapper.keep(buffer), byteOffset: 0, elementCount };
    });
    mapper.encode(pass, { map, source: before, target: copy, countsStrays });
    back.push(() => mapper.encode(pass, { map, source: copy, target: after, stays: true }));
  });
  for (const put of back) put();
}
