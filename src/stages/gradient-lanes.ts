import { CELLS_WGSL, PLACE_WGSL } from '../codecs/codec.js';
import type { Access } from '../plan/pieces.js';
import type { ReductionTable } from '../plan/reduction-rows.js';

/** A gradient as the kernels that add up squares read it: by its bits, since it may be NaN. */
export interface GradientLanes {
  /** The bound array. */
  readonly array: string;
  readonly access: Access;
  /** Expressions: where it begins in that, in units of the array, and of how many elements it is. */
  readonly base: string;
  readonly elementCount: string;
}

/** The WGSL type of what the array has elements of. */
export const bitsType = (access: Access): string => (access === 'vector' ? 'vec4<u32>' : 'u32');

/** The binding of such an array. */
export const gradientEntry = (access: Access): GPUBufferBindingLayout => ({
  type: 'read-only-storage',
  minBindingSize: access === 'vector' ? 16 : 4,
});

/** Statements that return lane `i` as `vec4<u32>`; behind the last element, that one again or what lies there. */
export function composeLoadBits({ array, access, base, elementCount }: GradientLanes): string {
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
