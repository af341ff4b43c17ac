import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import entriesWgsl from '../../../shaders/stages/sparse/entries.wgsl?raw';
import radixSortWgsl from '../../../shaders/stages/sparse/radix-sort.wgsl?raw';
import sumRowsWgsl from '../../../shaders/stages/sparse/sum-rows.wgsl?raw';
import type { Codec } from '../../codecs/codec.js';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { type KernelShape, shapeConstants } from '../../kernel/shape.js';
import { wordStruct } from '../../kernel/structs.js';
import { ROW_BLOCK, type RowSumPlan } from '../../plan/row-sums.js';

/**
 * What the kernels of a sparse gradient are told: the entries, and the table's rows, of which the number past the last also
 * stands for none; of a pass of the sort, the lowest bit of its digit, and the parts of its counters; of a level of the sum, the entries per
 * block; and where things begin in what is bound, `values` in lanes.
 */
export const SETTINGS = wordStruct('Settings', {
  entry_count: 'u32',
  row_count: 'u32',
  shift: 'u32',
  part_count: 'u32',
  stride: 'u32',
  indices_base: 'u32',
  count_base: 'u32',
  values_base: 'u32',
});

const UNIFORM: GPUBufferBindingLayout = { type: 'uniform', minBindingSize: SETTINGS.byteLength };
const READ: GPUBufferBindingLayout = { type: 'read-only-storage' };
const WRITE: GPUBufferBindingLayout = { type: 'storage' };

/** What all of these kernels begin with: settings, count. */
const ENTRIES = [UNIFORM, READ];
const entries = `${SETTINGS.wgsl}\n${entriesWgsl}`;

/** A kernel of a pass of the sort; all have the same bindings: settings, count, indices, source, destination, histogram. */
export function sortSource(
  entryPoint: RowSumPlan['sortKernels'][number],
  { sort, blockCount }: RowSumPlan,
  hasCount: boolean,
  pass: number,
): PipelineSource {
  return {
    label: `webgpu-optim ${entryPoint} rows`,
    code: `${entries}\n${radixSortWgsl}`,
    entryPoint,
    constants: {
      ...sort,
      IS_ALONE: Number(blockCount < 2),
      IS_FIRST: Number(!pass),
      HAS_COUNT: Number(hasCount),
    },
    bindGroups: [[...ENTRIES, READ, READ, WRITE, WRITE]],
  };
}

/**
 * Sums entries, or blocks of them. Bindings: settings, count, pairs, values, summed, rows.
 *
 * @param laneWidth elements per lane.
 * @param rowLanes lanes per row.
 * @param codec of the values, if they are no float32.
 */
export function sumSource(
  entryPoint: 'sum_rows' | 'sum_blocks',
  shape: KernelShape,
  hasCount: boolean,
  laneWidth: 1 | 4,
  rowLanes: number,
  codec?: Codec,
): PipelineSource {
  return {
    label: `webgpu-optim ${entryPoint}`,
    code: `alias lane = ${laneWidth === 4 ? 'vec4<f32>' : 'f32'};
const ROW_BLOCK: u32 = ${ROW_BLOCK}u;
${entries}
${lanesWgsl}
${codec ? convertValues(sumRowsWgsl, codec, laneWidth) : sumRowsWgsl}`,
    entryPoint,
    constants: { ...shapeConstants(shape), ROW_LANES: rowLanes, HAS_COUNT: Number(hasCount) },
    bindGroups: [[...ENTRIES, READ, READ, WRITE, WRITE]],
  };
}

/** The kernel over values of another type: each is converted where it is read. That of float32 is what the shader says. */
export function convertValues(wgsl: string, codec: Codec, laneWidth: 1 | 4): string {
  const converted = laneWidth === 4 ? codec.convert!('words') : `(${codec.convert!('vec4<i32>(words)')}).x`;
  return `alias stored = ${laneWidth === 4 ? 'vec4<i32>' : 'i32'};
${codec.wgsl}
fn converted(words: stored) -> lane {
  return ${converted};
}
${wgsl.replace(/(values: ?array<)lane>/, '$1stored>').replace(/values\[\w+\]/, 'converted($&)')}`;
}
