import type { ParameterArena } from '../../../src/index.js';
import { type ModelDtypes, entryByteLength } from './dtypes.js';
import { FEATURES } from './levels.js';
import type { ModelPlan } from './plan.js';

/** Rows that one partial sum of the weights' gradients covers. */
export const ROWS_PER_PART = 256;

/** WebGPU binds no empty buffer: a table that no level lies in has this size. */
const LEAST_BYTES = 16;

/** What the model keeps on the GPU beside the arena and the optimizer's state. */
export interface ModelBuffers {
  /** Layout of the levels, for the kernels. */
  readonly grid: GPUBuffer;
  /** What changes from step to step; see shaders/batch.wgsl. */
  readonly batch: GPUBuffer;
  readonly photo: GPUBuffer;
  readonly picture: GPUBuffer;
  readonly pixels: GPUBuffer;
  /** The features, and what each layer makes of them. */
  readonly activations: readonly GPUBuffer[];
  /** Their gradients. */
  readonly derivatives: readonly GPUBuffer[];
  readonly partials: GPUBuffer;
  readonly errors: GPUBuffer;
  /** The sum of the squared errors of the last batch. */
  readonly batchError: GPUBuffer;
  /** The same of what is painted. */
  readonly pictureError: GPUBuffer;
  readonly peaks: GPUBuffer;
  /** The dense table's gradients in fixed point. */
  readonly fixed: GPUBuffer;
  readonly sparseTable: GPUBuffer;
  readonly indices: GPUBuffer;
  readonly values: GPUBuffer;
}

/** Creates the buffers; `made` gets each at once, so that the caller can free them if a later one fails. */
export function createBuffers(
  device: GPUDevice,
  plan: ModelPlan,
  dtype: ModelDtypes['weights'],
  made: GPUBuffer[],
): ModelBuffers {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const { width, height, batch } = plan.shape;
  const create = (what: string, size: number, usage: number = STORAGE): GPUBuffer => {
    const buffer = device.createBuffer({
      label: `large ${what}`,
      size: Math.max(size, LEAST_BYTES),
      usage,
    });
    made.push(buffer);
    return buffer;
  };
  const widths = [plan.layers[0]!.inputs, ...plan.layers.map(({ outputs }) => outputs)];
  const perBatch = (what: string): GPUBuffer[] =>
    widths.map((columns, k) => create(`${what} ${k}`, 4 * batch * columns, STORAGE | COPY_SRC));
  const parts = Math.ceil(batch / ROWS_PER_PART);
  const largestLayer = Math.max(...plan.layers.map(({ inputs, outputs }) => (inputs + 4) * outputs));
  return {
    grid: create('grid', 4 * gridWords(plan).length, UNIFORM | COPY_DST),
    batch: create('batch', 24, UNIFORM | COPY_DST),
    photo: create('photo', 4 * width * height, STORAGE | COPY_DST),
    picture: create('picture', 4 * width * height, STORAGE | COPY_SRC),
    pixels: create('pixels', 4 * batch, STORAGE | COPY_SRC),
    activations: perBatch('activations'),
    derivatives: perBatch('derivatives'),
    partials: create('partial sums', 4 * parts * largestLayer),
    errors: create('errors', 4 * batch),
    batchError: create('batch error', 4, STORAGE | COPY_SRC | COPY_DST),
    pictureError: create('picture error', 4, STORAGE | COPY_SRC | COPY_DST),
    peaks: create('peaks', 64, STORAGE | COPY_DST),
    fixed: create('fixed-point gradients', 4 * FEATURES * plan.denseEntries),
    sparseTable: create('sparse table', entryByteLength(dtype) * plan.sparseEntries, STORAGE | COPY_SRC),
    indices: create('gradient rows', 4 * plan.gradientEntries, STORAGE | COPY_SRC),
    values: create('gradient values', 4 * FEATURES * plan.gradientEntries, STORAGE | COPY_SRC),
  };
}

/** The struct `Grid` of shaders/grid.wgsl. */
export function gridWords({ shape, levels, firstEntries }: ModelPlan): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(16 * 4 + 4);
  levels.forEach(({ resolution, entryCount, isHashed }, l) =>
    words.set([resolution, firstEntries[l]!, entryCount, Number(isHashed)], 4 * l),
  );
  words.set([shape.width, shape.height], 64);
  return words;
}

/** Where the dense parameters and their gradients lie. */
export interface DenseViews {
  readonly table: GPUBufferBinding;
  readonly tableGradients: GPUBufferBinding;
  readonly layers: readonly {
    readonly weights: GPUBufferBinding;
    readonly bias: GPUBufferBinding;
    readonly weightGradients: GPUBufferBinding;
    readonly biasGradients: GPUBufferBinding;
  }[];
}

/** The arena's tensors as the kernels bind them; `unused` stands for the dense table if no level lies in it. */
export function denseViews(
  arena: ParameterArena,
  plan: ModelPlan,
  unused: { readonly table: GPUBuffer; readonly gradients: GPUBuffer },
): DenseViews {
  const hasTable = plan.denseEntries > 0;
  return {
    table: hasTable ? arena.view('table') : { buffer: unused.table },
    tableGradients: hasTable ? arena.gradView('table') : { buffer: unused.gradients },
    layers: plan.layers.map((_, k) => ({
      weights: arena.view(`weights${k}`),
      bias: arena.view(`bias${k}`),
      weightGradients: arena.gradView(`weights${k}`),
      biasGradients: arena.gradView(`bias${k}`),
    })),
  };
}
