import type { BindGroups } from '../../gpu/bind-groups.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { type KernelShape, chooseShape } from '../../kernel/shape.js';
import { LANES_PER_PARTIAL } from '../../kernel/measure-shape.js';
import type { RowLayout } from '../../kernel/row.js';
import type { MatrixBatch } from '../../plan/matrix/batches.js';
import { type MatrixArray, type MatrixProduct, planProducts, tilesOf } from '../../plan/matrix/products.js';
import { type NormPlan, planNorms } from '../../plan/norms/plan-norms.js';
import { type PlanTensor } from '../../plan/pieces.js';
import { LANE } from '../../codecs/codec.js';
import type { StretchFacts } from '../../plan/stretch.js';
import { type MatrixIteration, matrixFactor } from '../../rules/declaring/matrix.js';
import { type RowDispatch, encodeDispatches } from '../dispatches.js';
import { NormMeasures, gridFor, measureSources } from '../norms/norm-measures.js';
import { Portions } from '../portions.js';
import type { StepContext } from '../stage.js';
import { type MatrixArrays, factsOfBatch, pieceOf } from './matrix-stage.js';
import { DIVISION, PRODUCT, normalizeSource, productSource } from './compose-product.js';

/** What matrices are made orthogonal with. */
export interface IterationInput {
  readonly device: GPUDevice;
  readonly row: RowLayout;
  readonly facts: StretchFacts<GPUBuffer>;
  readonly bindGroups: BindGroups;
  readonly label: string;
  /** What of the kernels' shape is not to be chosen. */
  readonly shape: Partial<KernelShape>;
  readonly iteration: MatrixIteration;
  readonly batch: MatrixBatch<GPUBuffer>;
}

const normsOf = (input: IterationInput, x0: GPUBuffer): NormPlan<GPUBuffer> => {
  const { batch } = input;
  const tensors = batch.tensors.map(({ row }, index): PlanTensor<GPUBuffer> => {
    const grad = [pieceOf(batch, x0, index)];
    return { index, row, data: grad, grad };
  });
  return planNorms(tensors, factsOfBatch(input, [x0]), false);
};

const productsOf = ({ batch, iteration }: IterationInput): MatrixProduct[] =>
  planProducts(batch, iteration.triples, matrixFactor(iteration, batch.rows, batch.columns));

const sourceOf = (
  { device, row, shape }: IterationInput,
  { isSymmetric, addend }: MatrixProduct,
): PipelineSource => {
  const { consecutive } = { ...chooseShape(adapterInfoOf(device)), ...shape };
  return productSource(row, !consecutive, isSymmetric, addend);
};

/** The kernels of an iteration. */
export function iterationSources(input: IterationInput, x0: GPUBuffer): PipelineSource[] {
  return [
    ...measureSources(normsOf(input, x0), input.row, false),
    normalizeSource(input.row, input.iteration.epsPlacement === 'sum'),
    ...productsOf(input).map((product) => sourceOf(input, product)),
  ];
}

/** Makes the matrices of a batch orthogonal, from one array to where `arrayAfter` says. */
export class Iteration {
  readonly #measures: NormMeasures;
  readonly #uniforms: Portions;
  readonly #commands: readonly RowDispatch[];

  /** Makes it; run it in error scopes. */
  constructor(
    private readonly input: IterationInput,
    arrays: MatrixArrays<MatrixArray>,
  ) {
    const { device, row: layout, bindGroups, label, iteration, batch } = input;
    const { row, tensors, step, rows, columns } = batch;
    this.#measures = new NormMeasures(input, normsOf(input, arrays.x0), undefined);
    const { tables, totals } = this.#measures;
    const products = productsOf(input);
    const rowInPage = row % layout.rowsPerPage;
    const laneCount = Math.ceil((rows * columns) / LANE);
    const portionCount = Math.ceil(laneCount / LANES_PER_PARTIAL);
    this.#uniforms = new Portions(
      device,
      `${label} products`,
      Math.max(PRODUCT.byteLength, DIVISION.byteLength),
      1 + products.length,
      (view, word, k) => {
        if (k === 0) {
          DIVISION.write(view, word, {
            row: rowInPage,
            workgroup_count: portionCount * tensors.length,
            portion_count: portionCount,
            lane_count: laneCount,
            lane_step: step / LANE,
            first_total: totals.byteOffset / 16,
            eps: iteration.eps,
          });
          return;
        }
        const product = products[k - 1]!;
        const { left, right, out, factor, addendFactor, scale } = product;
        const { across, count } = tilesOf(product);
        PRODUCT.write(view, word, {
          rows: product.rows,
          columns: product.columns,
          inner: product.inner,
          row: rowInPage,
          tiles_across: across,
          tile_count: count,
          workgroup_count: count * tensors.length,
          left_step: left.step,
          left_row: left.down,
          left_inner: left.across,
          right_step: right.step,
          right_inner: right.down,
          right_column: right.across,
          out_step: out.step,
          out_row: out.down,
          out_column: out.across,
          factor,
          addend_factor: addendFactor,
          scale,
        });
      },
    );
    const command = (
      source: PipelineSource,
      k: number,
      buffers: readonly GPUBuffer[],
      workgroupCount: number,
    ): RowDispatch => {
      const { pipeline, layouts } = getPipelineSync(device, source);
      const uniform = this.#uniforms.binding(k, (k === 0 ? DIVISION : PRODUCT).byteLength);
      const bound = [uniform, ...buffers.map((buffer) => ({ buffer }))];
      const bindGroup = bindGroups.get(layouts[0]!, bound, `${label} products ${k}`);
      return { pipeline, row, grid: gridFor(workgroupCount, device), bindGroup };
    };
    this.#commands = [
      command(
        normalizeSource(layout, iteration.epsPlacement === 'sum'),
        0,
        [tables, arrays.x0],
        portionCount * tensors.length,
      ),
      ...products.map((product, k) =>
        command(
          sourceOf(input, product),
          k + 1,
          [arrays[product.left.array], arrays[product.right.array], arrays[product.out.array]],
          tilesOf(product).count * tensors.length,
        ),
      ),
    ];
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    if (!step.isActive(this.input.batch.row)) return;
    this.#measures.encode(pass, step);
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    this.#measures.encodeProbe(pass, step);
    for (const { bindGroup } of this.#commands) pass.setBindGroup(0, bindGroup);
  }

  destroy(): void {
    this.#measures.destroy();
    this.#uniforms.destroy();
  }
}
