import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import factorWgsl from '../../../shaders/stages/factor/factor.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { composeEquation, composeVariables, pageLayout, switchConstants } from '../../kernel/compose-rule.js';
import { MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { RowLayout } from '../../kernel/row.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { shapeConstants } from '../../kernel/shape.js';
import { wordStruct } from '../../kernel/structs.js';

/** What a batch's dispatches cover; `row` is the index within the page. */
export const FACTORING = wordStruct('Factoring', {
  row: 'u32',
  height: 'u32',
  columns: 'u32',
  per_tensor: 'u32',
  matrix_count: 'u32',
  step: 'u32',
  block_count: 'u32',
  first_mean: 'u32',
});

/** The kernels, in order. */
export const FACTOR_ENTRIES = [
  'follow_rows',
  'sum_blocks',
  'follow_columns',
  'average_rows',
  'divide',
] as const;

const storage = (type: 'storage' | 'read-only-storage', minBindingSize = 4): GPUBufferBindingLayout => ({
  type,
  minBindingSize,
});

/**
 * One of the kernels. Bindings of group 0: factoring, matrices, factors, partials, places; group 1: the page of its row.
 *
 * @param layout of the rule as it steps weights.
 */
export function factorSource(
  layout: RuleLayout,
  row: RowLayout,
  entryPoint: (typeof FACTOR_ENTRIES)[number],
): PipelineSource {
  return {
    label: `webgpu-optim ${layout.rule.name} ${entryPoint}`,
    code: `// webgpu-optim: ${layout.rule.name}, factors
${composeVariables(layout, row)}
${FACTORING.wgsl}
@group(0) @binding(0) var<uniform> factoring: Factoring;
@group(0) @binding(1) var<storage, read_write> matrices: array<f32>;
/// Numbers of rows and columns of all tensors that the group ever had.
@group(0) @binding(2) var<storage, read_write> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;
/// Per tensor, where those of its rows and of its columns begin.
@group(0) @binding(4) var<storage, read> places: array<vec2<u32>>;
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;
${lanesWgsl}
${composeEquation(layout)}
${factorWgsl}`,
    entryPoint,
    constants: { ...shapeConstants(MEASURE_SHAPE), ...switchConstants(layout.equationSwitches) },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: FACTORING.byteLength },
        storage('storage'),
        storage('storage'),
        storage('storage'),
        storage('read-only-storage', 8),
      ],
      pageLayout(row),
    ],
  };
}
