import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import normWgsl from '../../../shaders/norm-of-partial.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import normalizeWgsl from '../../../shaders/stages/matrix/normalize.wgsl?raw';
import directWgsl from '../../../shaders/stages/matrix/direct.wgsl?raw';
import productWgsl from '../../../shaders/stages/matrix/product.wgsl?raw';
import tiledWgsl from '../../../shaders/stages/matrix/tiled.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { pageLayout } from '../../kernel/compose-rule.js';
import { MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { RowLayout } from '../../kernel/row.js';
import { shapeConstants } from '../../kernel/shape.js';
import { type WordStruct, wordStruct } from '../../kernel/structs.js';
import type { Addend } from '../../plan/matrix/products.js';

/** What a dispatch of products covers; `row` is the index within the page. */
export const PRODUCT = wordStruct('Product', {
  rows: 'u32',
  columns: 'u32',
  inner: 'u32',
  row: 'u32',
  tiles_across: 'u32',
  tile_count: 'u32',
  workgroup_count: 'u32',
  left_step: 'u32',
  left_row: 'u32',
  left_inner: 'u32',
  right_step: 'u32',
  right_inner: 'u32',
  right_column: 'u32',
  out_step: 'u32',
  out_row: 'u32',
  out_column: 'u32',
  factor: 'f32',
  addend_factor: 'f32',
  scale: 'f32',
});

/** What the dispatch covers that divides matrices by their norms. */
export const DIVISION = wordStruct('Division', {
  row: 'u32',
  workgroup_count: 'u32',
  portion_count: 'u32',
  lane_count: 'u32',
  lane_step: 'u32',
  first_total: 'u32',
  eps: 'f32',
});

const uniform = ({ byteLength }: WordStruct): GPUBufferBindingLayout => ({
  type: 'uniform',
  minBindingSize: byteLength,
});
const READ: GPUBufferBindingLayout = { type: 'read-only-storage', minBindingSize: 4 };
const WRITTEN: GPUBufferBindingLayout = { type: 'storage', minBindingSize: 4 };

const composePages = (row: RowLayout): string => `${row.struct.wgsl}
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;
`;

const ADDENDS: readonly (Addend | undefined)[] = [undefined, 'left', 'right'];

/**
 * The kernel of products. Bindings of group 0: product, left, right, out; group 1: the page of its row.
 *
 * @param isTiled whether operands go through workgroup memory, which is for GPUs. The bits do not depend on it.
 */
export function productSource(
  row: RowLayout,
  isTiled: boolean,
  isSymmetric: boolean,
  addend: Addend | undefined,
): PipelineSource {
  return {
    label: 'webgpu-optim matrix products',
    code: `// webgpu-optim: products of matrices
${PRODUCT.wgsl}
@group(0) @binding(0) var<uniform> product: Product;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
${composePages(row)}
${lanesWgsl}
${productWgsl}
${isTiled ? tiledWgsl : directWgsl}`,
    entryPoint: 'multiply',
    constants: { SYMMETRIC: Number(isSymmetric), ADDEND: ADDENDS.indexOf(addend) },
    bindGroups: [[uniform(PRODUCT), READ, READ, WRITTEN], pageLayout(row)],
  };
}

/** The kernel that divides matrices by their norms. Bindings of group 0: division, tables, matrices; group 1: the page of its row. */
export function normalizeSource(row: RowLayout, isSum: boolean): PipelineSource {
  return {
    label: 'webgpu-optim matrix norms',
    code: `// webgpu-optim: matrices divided by their norms
${DIVISION.wgsl}
@group(0) @binding(0) var<uniform> division: Division;
/// Of the stage that measures norms; totals are among them.
@group(0) @binding(1) var<storage, read> tables: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> matrices: array<vec4<f32>>;
${composePages(row)}
${lanesWgsl}
${squaresWgsl}
${normWgsl}
${normalizeWgsl}`,
    entryPoint: 'normalize_matrices',
    constants: { ...shapeConstants(MEASURE_SHAPE), SUM: Number(isSum) },
    bindGroups: [
      [uniform(DIVISION), { ...READ, minBindingSize: 16 }, { ...WRITTEN, minBindingSize: 16 }],
      pageLayout(row),
    ],
  };
}
