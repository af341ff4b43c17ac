import packWgsl from '../../../shaders/stages/rows/pack.wgsl?raw';
import unpackWgsl from '../../../shaders/stages/rows/unpack.wgsl?raw';
import type { Codec } from '../../codecs/codec.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import { type Piece, type StatePiece, countElements } from '../../plan/pieces.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { type SidePassInput, planSidePass } from './side-pass.js';

const slots = [{ name: 'kept' }] as const;

export const pack = declareRule({
  name: 'pack',
  wgsl: packWgsl,
  options: commonOptions(0),
  slots,
  scalars: () => ({}),
  reference: (_, { w, s }) => {
    s.kept = w;
    return w;
  },
});

export const unpack = declareRule({
  name: 'unpack',
  wgsl: unpackWgsl,
  options: commonOptions(0),
  slots,
  scalars: () => ({}),
  reference: (_, { s }) => s.kept,
});

/** What is to be read or written in another form. */
export interface Recoding extends Pick<SidePassInput, 'device' | 'facts' | 'nameOf' | 'label'> {
  readonly codec: Codec;
  /** Where it lies in that form. */
  readonly ranges: readonly ByteRange[];
  /** As many elements in float32. */
  readonly floats: readonly Piece<GPUBuffer>[];
}

/**
 * Encodes that floats are what is kept elsewhere in another form, or are kept there.
 *
 * @returns what frees what that takes, once all is submitted.
 */
export function encodeRecoding(
  encoder: GPUCommandEncoder,
  { codec, ranges, floats, ...input }: Recoding,
  toFloats: boolean,
): () => void {
  const elementCount = countElements(floats);
  if (elementCount === 0) return () => undefined;
  const side = planSidePass({
    ...input,
    rule: toFloats ? unpack() : pack(),
    codec,
    tensors: [{ index: 0, row: 0, data: floats, state: piecesOf(ranges, codec, elementCount) }],
    slab: (_, index) => ranges[index]!.buffer,
    rows: [{}],
  }).make();
  const pass = encoder.beginComputePass({ label: input.label });
  side.encode(pass);
  pass.end();
  return () => side.destroy();
}

/** Ranges of whole blocks as places of state, a slab each. */
function piecesOf(
  ranges: readonly ByteRange[],
  { blockLength, blockByteLength }: Codec,
  elementCount: number,
): StatePiece[] {
  const elements = (byteLength: number): number => (byteLength / blockByteLength) * blockLength;
  let left = elementCount;
  return ranges.map(({ byteOffset, byteLength }, slab) => {
    const own = Math.min(left, elements(byteLength));
    left -= own;
    return { slab, element: elements(byteOffset), elementCount: own, isPadded: true };
  });
}
