import { type Access, CELLS_WGSL, type Codec, PLACE_WGSL, isByCells } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import type { ReductionTable } from '../plan/reduction-rows.js';

/** How gradients lie in memory. */
export interface GradientKind {
  readonly access: Access;
  /** Of what is no float32. */
  readonly codec?: Codec;
}

/** A gradient as the kernels that add up squares read it: by its bits, since it may be NaN. */
export interface GradientLanes extends GradientKind {
  /** The bound array. */
  readonly array: string;
  /** Expressions: where it begins in that, in units of the array, and of how many elements it is. */
  readonly base: string;
  readonly elementCount: string;
}

/** The WGSL type of what the array has elements of. */
export const bitsType = ({ access, codec }: GradientKind): string =>
  codec?.arrayType(access) ?? (access === 'vector' ? 'vec4<u32>' : 'u32');

/** The binding of such an array. */
export const gradientEntry = ({ access, codec = f32 }: GradientKind): GPUBufferBindingLayout => ({
  type: 'read-only-storage',
  minBindingSize: codec.itemByteLength(access),
});

/** What {@link composeLoadBits} needs beside {@link composeGradientRows}. */
export const composeBits = ({ codec }: GradientKind, table: ReductionTable<unknown> | undefined): string =>
  codec ? `${table ? '' : PLACE_WGSL}${codec.wgsl}` : '';

/** Statements that return lane `i` as `vec4<u32>`; behind the last element, that one again or what lies there. */
export function composeLoadBits({ array, access, codec, base, elementCount }: GradientLanes): string {
  if (codec) {
    const place = isByCells(access)
      ? `place_of(i, ${elementCount})`
      : `Place(i, 4u * i, min(4u, ${elementCount} - 4u * i))`;
    return `  let at = ${place};\n${codec.loadBits!({ array, base, access, stride: 'GRAD_STRIDE' })}`;
  }
  if (access === 'vector') return `  return ${array}[${base} + i];`;
  if (access === 'strided') {
    return `  let cells = cells_of(place_of(i, ${elementCount}));
  let words = ${base} + cells.rows * GRAD_STRIDE + cells.columns;
  return vec4<u32>(${array}[words.x], ${array}[words.y], ${array}[words.z], ${array}[words.w]);`;
  }
  return `  let first = ${base} + 4u * i;
  let last = ${base} + ${elementCount} - 1u;
  return vec4<u32>(
    ${array}[first],
    ${array}[min(first + 1u, last)],
    ${array}[min(first + 2u, last)],
    ${array}[min(first + 3u, last)],
  );`;
}

/**
 * WGSL for a gradient of rows that must be known: where its lanes lie, and which elements of them are in rows that are not left
 * alone: `active_in`, by the array `mask` from `header.mask_base` on.
 *
 * @param first expression: how many elements of the rows lie before lane 0.
 */
export function composeGradientRows({ stride, mask }: ReductionTable<unknown>, first: string): string {
  const ofMask = `
fn active_in(i: u32, element_count: u32) -> vec4<bool> {
  let rows = header.mask_base + cells_of(place_of(i, element_count)).rows;
  return vec4<u32>(mask[rows.x], mask[rows.y], mask[rows.z], mask[rows.w]) != vec4<u32>(0u);
}
`;
  return `${stride === undefined ? '' : 'override GRAD_STRIDE: u32;\n'}${PLACE_WGSL}
${CELLS_WGSL}
fn place_of(i: u32, element_count: u32) -> Place {
  return Place(i, ${first} + 4u * i, min(4u, element_count - 4u * i));
}
${mask ? ofMask : ''}`;
}

/** The constants of those rows. */
export function gradientRowConstants(table: ReductionTable<unknown> | undefined): Record<string, number> {
  if (!table) return {};
  const { rowLength, stride } = table;
  return { ROW_LENGTH: rowLength, ...(stride !== undefined && { GRAD_STRIDE: stride }) };
}
