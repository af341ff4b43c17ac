import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeFilled } from '../../gpu/make-buffer.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import { applying } from '../../kernel/matrix-phases.js';
import { MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { FactoredSize } from '../../rules/declaring/matrix-size.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import type { BatchInput, MatrixArrays, MatrixPass } from '../matrix/matrix-stage.js';
import { gridFor } from '../norms/norm-measures.js';
import { Portions } from '../portions.js';
import type { StepContext } from '../stage.js';
import { FACTORING, FACTOR_ENTRIES, factorSource } from './compose-factor.js';
import type { FactorRecords } from './factor-records.js';

/** As in shaders/stages/factor/factor.wgsl. */
const [THREADS, ROWS_PER_BLOCK] = [64, 64];

/** Sums that blocks of rows of a tensor have, and means of its matrices' rows. */
export function partialLengths({ rows, columns, height }: FactoredSize): { blocks: number; means: number } {
  const means = rows / height;
  return { blocks: means * Math.ceil(height / ROWS_PER_BLOCK) * columns, means };
}

/** The kernels of a batch. */
export const factorSources = ({ layout, row }: BatchInput<FactoredSize>): PipelineSource[] =>
  FACTOR_ENTRIES.map((entry) => factorSource(applying(layout), row, entry));

/** Means along rows and columns of a batch's gradients, and these divided by what they tell. */
export class FactorPass implements MatrixPass {
  readonly #uniforms: Portions;
  readonly #places: GPUBuffer;
  readonly #commands: readonly RowDispatch[];

  /** Makes it; run it in error scopes. */
  constructor(
    private readonly input: BatchInput<FactoredSize>,
    { x0, partials }: MatrixArrays<'partials'>,
  ) {
    const { device, row: layout, bindGroups, label, batch } = input;
    const { tensors, row, rows, columns, height, step } = batch;
    const records = input.records as FactorRecords;
    const { blocks, means } = partialLengths(batch);
    const [matrixCount, firstMean] = [means * tensors.length, blocks * tensors.length];
    this.#uniforms = new Portions(device, `${label} factoring`, FACTORING.byteLength, 1, (view, word) =>
      FACTORING.write(view, word, {
        row: row % layout.rowsPerPage,
        height,
        columns,
        per_tensor: means,
        matrix_count: matrixCount,
        step,
        block_count: Math.ceil(height / ROWS_PER_BLOCK),
        first_mean: firstMean,
      }),
    );
    const words = tensors.flatMap(({ index }) => records.wordsOf(index));
    this.#places = makeFilled(device, `${label} places`, BufferUsage.STORAGE, Uint32Array.from(words));
    const elementsPerWorkgroup = MEASURE_SHAPE.workgroupSize * MEASURE_SHAPE.lanesPerInvocation;
    const workgroups = {
      follow_rows: rows * tensors.length,
      sum_blocks: Math.ceil(firstMean / THREADS),
      follow_columns: Math.ceil((matrixCount * columns) / THREADS),
      average_rows: matrixCount,
      divide: Math.ceil((rows * columns * tensors.length) / elementsPerWorkgroup),
    };
    const bound = [
      this.#uniforms.binding(0, FACTORING.byteLength),
      ...[x0, records.factors, partials, this.#places].map((buffer) => ({ buffer })),
    ];
    const sources = factorSources(input);
    this.#commands = FACTOR_ENTRIES.map((entry, k) => {
      const { pipeline, layouts } = getPipelineSync(device, sources[k]!);
      const bindGroup = bindGroups.get(layouts[0]!, bound, `${label} factors`);
      return { pipeline, row, grid: gridFor(workgroups[entry], device), bindGroup };
    });
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#commands, step);
  }

  destroy(): void {
    this.#uniforms.destroy();
    this.#places.destroy();
  }
}
