import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import type { Planned } from '../../gpu/pipelines.js';
import { applying, directing } from '../../kernel/matrix-phases.js';
import { type MatrixBatch, planMatrixBatches } from '../../plan/matrix/batches.js';
import { type MatrixArray, arrayAfter } from '../../plan/matrix/products.js';
import { type PlanTensor, isByRows } from '../../plan/pieces.js';
import type { Stage, StepContext } from '../stage.js';
import { type UpdateInput, type UpdateStage, planUpdate } from '../update/update-stage.js';
import {
  Iteration,
  type IterationInput,
  type MatrixArrays,
  factsOfBatch,
  iterationSources,
  pieceOf,
} from './iteration.js';

/** Elements of the arrays, for the largest of some batches. */
function lengthsOf(batches: readonly MatrixBatch<GPUBuffer>[]): Readonly<Record<MatrixArray, number>> {
  const most = (of: (batch: MatrixBatch<GPUBuffer>) => number) =>
    batches.reduce((length, batch) => Math.max(length, batch.tensors.length * of(batch)), 0);
  const [whole, square] = [most(({ step }) => step), most(({ short }) => short * short)];
  return { x0: whole, x1: whole, gram: square, polynomial: square };
}

const NAMES = ['x0', 'x1', 'gram', 'polynomial'] as const satisfies readonly MatrixArray[];

/** What is bound before the arrays are there: kernels do not depend on it. */
const PLACEHOLDERS = Object.fromEntries(NAMES.map((name) => [name, {} as GPUBuffer])) as MatrixArrays;

/** Plans the steps of matrices. @throws OptimizerError `limit-exceeded` for one that no binding holds. */
export function planOrthogonalStage(input: UpdateInput): Planned<Stage> {
  const { device, tensors, nameOf, label } = input;
  const batches = planMatrixBatches(tensors, input.facts.limits, nameOf);
  const planned = batches.map((batch) => new BatchPlan(input, batch, PLACEHOLDERS));
  return {
    sources: planned.flatMap(({ sources }) => sources),
    make: () => {
      const lengths = lengthsOf(batches);
      const arrays = Object.fromEntries(
        NAMES.map((name) => [
          name,
          makeBuffer(device, `${label} matrices ${name}`, 4 * lengths[name], BufferUsage.STORAGE),
        ]),
      ) as MatrixArrays;
      return new OrthogonalStage(
        batches.map((batch) => new BatchPlan(input, batch, arrays).make()),
        arrays,
      );
    },
  };
}

/** The steps of a batch, planned. */
class BatchPlan {
  readonly #input: IterationInput;
  readonly #direct: Planned<UpdateStage>;
  readonly #apply: Planned<UpdateStage>;
  readonly #places: BatchPlaces;

  constructor(
    input: UpdateInput,
    batch: MatrixBatch<GPUBuffer>,
    private readonly arrays: MatrixArrays,
  ) {
    const { layout, label } = input;
    const iteration = layout.matrix!;
    const result = arrays[arrayAfter(iteration.triples.length)];
    const facts = factsOfBatch({ facts: input.facts, batch }, [arrays.x0, result]);
    this.#places = new BatchPlaces(batch, arrays.x0, result);
    this.#input = { ...input, batch, iteration };
    this.#direct = planUpdate({
      ...input,
      facts,
      layout: directing(layout),
      tensors: this.#places.directing(batch.tensors),
      label: `${label} directions`,
    });
    this.#apply = planUpdate({
      ...input,
      facts,
      layout: applying(layout),
      tensors: this.#places.applying(batch.tensors),
      isClamped: false,
    });
  }

  get sources() {
    return [
      ...this.#direct.sources,
      ...iterationSources(this.#input, this.arrays.x0),
      ...this.#apply.sources,
    ];
  }

  make(): BatchStages {
    return {
      direct: this.#direct.make(),
      iteration: new Iteration(this.#input, this.arrays),
      apply: this.#apply.make(),
      places: this.#places,
    };
  }
}

interface BatchStages {
  readonly direct: UpdateStage;
  readonly iteration: Iteration;
  readonly apply: UpdateStage;
  readonly places: BatchPlaces;
}

/** A batch's tensors as its stages see them. */
class BatchPlaces {
  readonly #places: ReadonlyMap<number, number>;

  constructor(
    private readonly batch: MatrixBatch<GPUBuffer>,
    private readonly x0: GPUBuffer,
    private readonly result: GPUBuffer,
  ) {
    this.#places = new Map(batch.tensors.map(({ index }, k) => [index, k]));
  }

  has({ index }: PlanTensor<GPUBuffer>): boolean {
    return this.#places.has(index);
  }

  /** Directions in place of weights. */
  directing(tensors: readonly PlanTensor<GPUBuffer>[]): PlanTensor<GPUBuffer>[] {
    return tensors.map(({ index, row, grad, isGathered, rowLength, state }) => {
      const data = [pieceOf(this.batch, this.x0, this.#places.get(index)!)];
      return {
        index,
        row,
        data,
        ...(grad && { grad }),
        ...(isGathered && { isGathered }),
        ...(rowLength !== undefined && isByRows({ data, ...(grad && { grad }) }) && { rowLength }),
        ...(state && { state }),
      };
    });
  }

  /** What directions have become, in place of gradients. */
  applying(tensors: readonly PlanTensor<GPUBuffer>[]): PlanTensor<GPUBuffer>[] {
    return tensors.map(({ isGathered: _isGathered, rowLength, ...tensor }) => {
      const grad = [pieceOf(this.batch, this.result, this.#places.get(tensor.index)!)];
      const byRows = rowLength !== undefined && isByRows({ ...tensor, grad });
      return { ...tensor, grad, ...(byRows ? { rowLength } : { isGathered: true }) };
    });
  }
}

/**
 * The steps of matrices: per batch of one shape, directions of gradients, in memory of ours; these made orthogonal; and weights stepped
 * along them. Batches take turns in the same memory.
 */
class OrthogonalStage implements Stage {
  constructor(
    private readonly batches: readonly BatchStages[],
    private readonly arrays: MatrixArrays,
  ) {}

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const { direct, iteration, apply } of this.batches) {
      direct.encode(pass, step);
      iteration.encode(pass, step);
      apply.encode(pass, step);
    }
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const { direct, iteration, apply } of this.batches) {
      direct.encodeProbe(pass, step);
      iteration.encodeProbe(pass, step);
      apply.encodeProbe(pass, step);
    }
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const commits = this.batches.flatMap(({ direct, apply, places }) => {
      const own = [...changed.values()].filter((tensor) => places.has(tensor));
      if (own.length === 0) return [];
      const byIndex = (tensors: readonly PlanTensor<GPUBuffer>[]) =>
        new Map(tensors.map((tensor) => [tensor.index, tensor]));
      return [
        direct.prepareRebind(byIndex(places.directing(own))),
        apply.prepareRebind(byIndex(places.applying(own))),
      ];
    });
    return () => {
      for (const commit of commits) commit();
    };
  }

  destroy(): void {
    for (const { direct, iteration, apply } of this.batches) {
      direct.destroy();
      iteration.destroy();
      apply.destroy();
    }
    for (const name of NAMES) this.arrays[name].destroy();
  }
}
