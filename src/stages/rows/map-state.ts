import type { Codec } from '../../codecs/codec.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { StretchFacts } from '../../plan/stretch.js';
import { slicePieces } from '../../plan/cut.js';
import { encodeRecoding } from '../side/recode.js';
import type { RowMapper } from './map-rows.js';

/** What is moved of a tensor's state that is not kept in float32. */
export interface StateMove {
  readonly codec: Codec;
  readonly rowLength: number;
  readonly source: readonly ByteRange[];
  /** Any memory: that of the source, too. */
  readonly target: readonly ByteRange[];
  /** What fresh rows begin with. */
  readonly fresh: number;
}

/**
 * Encodes that rows of state come to lie where a map says, by way of float32: neighbours share words, and may share a scale, so that
 * a row that moves changes how others are kept. What it makes, the mapper frees.
 */
export function encodeStateMove(
  encoder: GPUCommandEncoder,
  mapper: RowMapper,
  { facts, nameOf }: { readonly facts: StretchFacts<GPUBuffer>; readonly nameOf: (tensor: number) => string },
  { codec, rowLength, source, target, fresh }: StateMove,
): void {
  const { device, label, map } = mapper;
  const all = mapper.floats();
  const before = slicePieces(all, 0, map.rowsBefore * rowLength);
  const after = slicePieces(all, 0, map.rowCount * rowLength);
  const input = { device, facts, nameOf, codec, label };
  mapper.free(encodeRecoding(encoder, { ...input, ranges: source, floats: before }, true));
  mapper.encodeInPlace(encoder, { rowLength, source: before, target: after, fresh });
  mapper.free(encodeRecoding(encoder, { ...input, ranges: target, floats: after }, false));
}
