import type { Stretch, StretchAccess } from '../plan/stretch.js';
import { alignUp } from './alignment.js';
import { type WordStruct, type WordType, type WordView, wordStruct } from './structs.js';

const FIELDS = {
  lane_count: 'u32',
  element_count: 'u32',
  data_base: 'u32',
  grad_base: 'u32',
  state_base: 'u32',
  row: 'u32',
} as const;

type Field =
  | keyof typeof FIELDS
  | 'mask_base'
  | 'min_weight'
  | 'max_weight'
  | 'first_lane'
  | 'stream_low'
  | 'stream_high';

const structs = new Map<string, WordStruct<Field>>();

/**
 * What one dispatch covers of one tensor; bases are indices into the bound arrays, `row` is the index within the page. It has
 * more fields where the kernel needs more.
 */
export function segmentStruct({ isMasked, isLimited, isDrawn }: StretchAccess): WordStruct<Field> {
  const key = `${isMasked} ${isLimited} ${isDrawn}`;
  let struct = structs.get(key);
  if (!struct) {
    const fields: Partial<Record<Field, WordType>> = {
      ...FIELDS,
      ...(isMasked && { mask_base: 'u32' }),
      ...(isLimited && { min_weight: 'f32', max_weight: 'f32' }),
      ...(isDrawn && { first_lane: 'u32', stream_low: 'u32', stream_high: 'u32' }),
    };
    structs.set(key, (struct = wordStruct('Segment', fields as Record<Field, WordType>)));
  }
  return struct;
}

/** The WGSL of what a dispatch is told: a segment per tensor, and factors of the columns. */
export function composeSegments(access: StretchAccess, together: number): string {
  const tensors = Array.from({ length: together }, (_, k) => `  tensor_${k}: Segment,\n`);
  const columns = access.isScaled
    ? `  columns: array<vec4<f32>, ${Math.ceil(access.rowLength! / 4)}>,\n`
    : '';
  return `${segmentStruct(access).wgsl}
struct Segments {
${tensors.join('')}${columns}}`;
}

/** Bytes of that. */
export function segmentsByteLength(access: StretchAccess, together: number): number {
  const columns = access.isScaled ? alignUp(4 * access.rowLength!, 16) : 0;
  return segmentStruct(access).byteLength * together + columns;
}

/** Where the parts of a dispatch begin in what it binds, and in what is drawn for their tensors. */
export type SegmentBases = Readonly<Record<'grad_base' | 'state_base' | 'row', number>> &
  Readonly<Partial<Record<'first_lane' | 'stream_low' | 'stream_high', number>>>;

/** Writes what a dispatch is told, from a word of the view on. */
export function writeSegments<B>(
  view: WordView,
  firstWord: number,
  parts: readonly Stretch<B>[],
  basesOf: (part: Stretch<B>) => SegmentBases,
): void {
  const { access } = parts[0]!;
  const struct = segmentStruct(access);
  parts.forEach((part, k) => {
    const { constraint, maskBase } = part;
    const { min = -Infinity, max = Infinity } = typeof constraint === 'object' ? constraint : {};
    struct.write(view, firstWord + (struct.byteLength / 4) * k, {
      lane_count: part.laneCount,
      element_count: part.elementCount,
      data_base: part.dataBase,
      ...basesOf(part),
      ...(maskBase !== undefined && { mask_base: maskBase }),
      ...(access.isLimited && { min_weight: min, max_weight: max }),
    });
  });
  const { columns } = parts[0]!;
  if (columns) view.f32.set(columns, firstWord + (struct.byteLength / 4) * parts.length);
}
