import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import listRowsWgsl from '../../../shaders/sparse/list-rows.wgsl?raw';
import namedRowsWgsl from '../../../shaders/sparse/named-rows.wgsl?raw';
import radixSortWgsl from '../../../shaders/sparse/radix-sort.wgsl?raw';
import settingsWgsl from '../../../shaders/sparse/settings.wgsl?raw';
import sumRowsWgsl from '../../../shaders/sparse/sum-rows.wgsl?raw';
import { type Pipeline, getPipeline } from '../../kernel/pipeline-cache.js';
import { type KernelShape, chooseShape } from '../../kernel/shape.js';
import { shapeConstants } from '../../kernel/step-kernel.js';
import { laneWidthOf } from '../plan/named-rows.js';
import type { SparseTable } from './table.js';

/** Bytes of the WGSL struct `Settings`. */
export const SETTINGS_BYTE_LENGTH = 32;

const SETTINGS: GPUBufferBindingLayout = { type: 'uniform', minBindingSize: SETTINGS_BYTE_LENGTH };
const READ: GPUBufferBindingLayout = { type: 'read-only-storage' };
const WRITE: GPUBufferBindingLayout = { type: 'storage' };

/** The kernels that turn the entries of a sparse gradient into one sum per row, and how they are dispatched. */
export interface RowSumPipelines {
  readonly list: Pipeline;
  readonly listShape: KernelShape;
  /** `count`, `scan` and `scatter` of a sorting pass; their bind group is the same. */
  readonly sort: readonly [Pipeline, Pipeline, Pipeline];
  readonly sum: Pipeline;
  readonly sumShape: KernelShape;
  /** Elements per lane of `sum`. */
  readonly laneWidth: 1 | 4;
}

/** Compiles the kernels for one table; tables with rows of the same length share them. */
export async function prepareRowSums(device: GPUDevice, table: SparseTable): Promise<RowSumPipelines> {
  const { rowLength, entryCount, values, count } = table;
  const laneWidth = laneWidthOf(rowLength, values.byteOffset);
  const rowLanes = rowLength / laneWidth;
  const listShape = chooseShape(device.adapterInfo, 4, entryCount);
  const sumShape = chooseShape(device.adapterInfo, 4, entryCount * rowLanes);
  const list = getPipeline(device, {
    label: 'webgpu-optim list rows',
    code: `${lanesWgsl}\n${settingsWgsl}\n${listRowsWgsl}`,
    entryPoint: 'list_rows',
    constants: { ...shapeConstants(listShape), HAS_COUNT: Number(count !== undefined) },
    bindGroups: [[SETTINGS, READ, READ, WRITE]],
  });
  const [countDigits, scan, scatter] = ['count', 'scan', 'scatter'].map((entryPoint) =>
    getPipeline(device, {
      label: `webgpu-optim sort rows, ${entryPoint}`,
      code: `${settingsWgsl}\n${radixSortWgsl}`,
      entryPoint,
      constants: {},
      bindGroups: [[SETTINGS, READ, WRITE, WRITE]],
    }),
  ) as [Promise<Pipeline>, Promise<Pipeline>, Promise<Pipeline>];
  const sum = getPipeline(device, {
    label: 'webgpu-optim sum rows',
    code: `alias lane = ${laneWidth === 4 ? 'vec4<f32>' : 'f32'};\n${lanesWgsl}\n${settingsWgsl}\n${namedRowsWgsl}\n${sumRowsWgsl}`,
    entryPoint: 'sum_rows',
    constants: { ...shapeConstants(sumShape), ROW_LANES: rowLanes },
    bindGroups: [[SETTINGS, READ, READ, WRITE, WRITE]],
  });
  return {
    list: await list,
    listShape,
    sort: await Promise.all([countDigits, scan, scatter]),
    sum: await sum,
    sumShape,
    laneWidth,
  };
}
