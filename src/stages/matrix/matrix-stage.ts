import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import type { Planned } from '../../gpu/pipelines.js';
import { applying, directing } from '../../kernel/matrix-phases.js';
import { type MatrixBatch, planMatrixBatches } from '../../plan/matrix/batches.js';
import { type Piece, type PlanTensor, isByRows } from '../../plan/pieces.js';
import type { StretchFacts } from '../../plan/stretch.js';
import type { MatrixStage } from '../../rules/declaring/matrix.js';
import type { MatrixSize } from '../../rules/declaring/matrix-size.js';
import type { TensorRecords } from '../measure/tensor-records.js';
import type { Stage, StepContext } from '../stage.js';
import { type UpdateInput, type UpdateStage, planUpdate } from '../update/update-stage.js';

/** What the engine gives a stage of matrices. */
export interface MatrixInput extends UpdateInput {
  /** Of the group's tensors, if the rule measures them; absent while no more is wanted than to know the kernels. */
  readonly records: TensorRecords | undefined;
}

/** What the engine does with a {@link MatrixStage}. */
export interface MatrixStepping extends MatrixStage {
  /** Plans the steps of a group's tensors, each with a shape of two or more axes. */
  readonly planStage: (input: MatrixInput) => Planned<Stage>;
}

/** A batch, and what is to be done with it. */
export interface BatchInput<S extends MatrixSize> extends MatrixInput {
  readonly batch: MatrixBatch<GPUBuffer, S>;
}

/** What becomes of directions: it takes them from `x0`, and binds nobody's buffers but ours. */
export type MatrixPass = Omit<Stage, 'prepareRebind' | 'withGradients'>;

/** What a rule of matrices does between its two passes over elements. Directions are in the array `x0`. */
export interface MatrixWork<S extends MatrixSize, A extends string> {
  /** The matrix that a shape is. */
  readonly sizeOf: (shape: readonly number[]) => S;
  /** Elements of the arrays, for one matrix of a size. */
  readonly lengthsOf: (place: S & Pick<MatrixBatch<GPUBuffer>, 'step'>) => Readonly<Record<A | 'x0', number>>;
  /** The array in which directions have become what weights are stepped along. */
  readonly resultOf: (input: MatrixInput) => A | 'x0';
  readonly plan: (input: BatchInput<S>, arrays: MatrixArrays<A>) => Planned<MatrixPass>;
  /** Plans what comes before weights are stepped along the result, if anything does. */
  readonly planMeasuring?: (input: MatrixInput) => Planned<Stage>;
}

/** The memory that batches are worked on in, one after the other. */
export type MatrixArrays<A extends string> = Readonly<Record<A | 'x0', GPUBuffer>>;

/** Where the k-th matrix of a batch lies. */
export const pieceOf = (
  { rows, columns, step }: Pick<MatrixBatch<GPUBuffer>, 'rows' | 'columns' | 'step'>,
  buffer: GPUBuffer,
  k: number,
): Piece<GPUBuffer> => ({ buffer, byteOffset: 4 * step * k, elementCount: rows * columns });

/** The facts that stages on such matrices are planned with: behind each lies nobody's memory. */
export function factsOfBatch(
  { facts, batch: { rows, columns, step } }: Pick<BatchInput<MatrixSize>, 'facts' | 'batch'>,
  buffers: readonly GPUBuffer[],
): StretchFacts<GPUBuffer> {
  const paddingOf = (buffer: GPUBuffer, end: number): number => {
    if (!buffers.includes(buffer)) return facts.paddingOf(buffer, end);
    return (end / 4 - rows * columns) % step === 0 ? 4 * step : 0;
  };
  return { ...facts, paddingOf };
}

/** Plans the steps of matrices. @throws OptimizerError `limit-exceeded` for one that no binding holds. */
export function planMatrixStage<S extends MatrixSize, A extends string>(
  input: MatrixInput,
  work: MatrixWork<S, A>,
): Planned<Stage> {
  const { device, tensors, nameOf, label, facts } = input;
  const batches = planMatrixBatches(tensors, facts.limits, nameOf, work.sizeOf, work.lengthsOf);
  const lengths: Record<string, number> = {};
  for (const batch of batches) {
    for (const [name, length] of Object.entries<number>(work.lengthsOf(batch)))
      lengths[name] = Math.max(lengths[name] ?? 0, batch.tensors.length * length);
  }
  const arraysOf = (make: (name: string) => GPUBuffer) =>
    Object.fromEntries(Object.keys(lengths).map((name) => [name, make(name)])) as MatrixArrays<A>;
  // What is bound before the arrays are there: kernels do not depend on it.
  const placeholders = arraysOf(() => ({}) as GPUBuffer);
  const planned = batches.map((batch) => new BatchPlan({ ...input, batch }, work, placeholders));
  return {
    sources: planned.flatMap(({ sources }) => sources),
    make: () => {
      const arrays = arraysOf((name) =>
        makeBuffer(device, `${label} matrices ${name}`, 4 * lengths[name]!, BufferUsage.STORAGE),
      );
      return new MatrixSteps(
        batches.map((batch) => new BatchPlan({ ...input, batch }, work, arrays).make()),
        Object.values<GPUBuffer>(arrays),
      );
    },
  };
}

/** The steps of a batch, planned. */
class BatchPlan<S extends MatrixSize, A extends string> {
  readonly #direct: Planned<UpdateStage>;
  readonly #work: Planned<MatrixPass>;
  readonly #apply: readonly Planned<Stage>[];
  readonly #places: BatchPlaces;

  constructor(input: BatchInput<S>, work: MatrixWork<S, A>, arrays: MatrixArrays<A>) {
    const { layout, label, batch, records } = input;
    const result = arrays[work.resultOf(input)];
    const facts = factsOfBatch(input, [arrays.x0, result]);
    this.#places = new BatchPlaces(batch, arrays.x0, result);
    this.#work = work.plan(input, arrays);
    this.#direct = planUpdate({
      ...input,
      facts,
      layout: directing(layout),
      tensors: this.#places.directing(batch.tensors),
      label: `${label} directions`,
    });
    const applied = {
      ...input,
      facts,
      layout: applying(layout),
      tensors: this.#places.applying(batch.tensors),
      isClamped: false,
      record: records && ((tensor: number) => records.binding(tensor)),
    };
    const measuring = work.planMeasuring?.(applied);
    this.#apply = [...(measuring ? [measuring] : []), planUpdate(applied)];
  }

  get sources() {
    return [this.#direct, this.#work, ...this.#apply].flatMap(({ sources }) => sources);
  }

  make(): BatchStages {
    return {
      direct: this.#direct.make(),
      work: this.#work.make(),
      apply: this.#apply.map((plan) => plan.make()),
      places: this.#places,
    };
  }
}

interface BatchStages {
  readonly direct: UpdateStage;
  readonly work: MatrixPass;
  readonly apply: readonly Stage[];
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
 * The steps of matrices: per batch of one shape, directions of gradients, in memory of ours; what becomes of these; and weights stepped
 * along that. Batches take turns in the same memory.
 */
class MatrixSteps implements Stage {
  constructor(
    private readonly batches: readonly BatchStages[],
    private readonly arrays: readonly GPUBuffer[],
  ) {}

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const { direct, work, apply } of this.batches) {
      direct.encode(pass, step);
      work.encode(pass, step);
      for (const stage of apply) stage.encode(pass, step);
    }
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const { direct, work, apply } of this.batches) {
      direct.encodeProbe(pass, step);
      work.encodeProbe(pass, step);
      for (const stage of apply) stage.encodeProbe(pass, step);
    }
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const commits = this.batches.flatMap(({ direct, apply, places }) => {
      const own = [...changed.values()].filter((tensor) => places.has(tensor));
      if (own.length === 0) return [];
      const byIndex = (tensors: readonly PlanTensor<GPUBuffer>[]) =>
        new Map(tensors.map((tensor) => [tensor.index, tensor]));
      const applied = byIndex(places.applying(own));
      return [
        direct.prepareRebind(byIndex(places.directing(own))),
        ...apply.map((stage) => stage.prepareRebind(applied)),
      ];
    });
    return () => {
      for (const commit of commits) commit();
    };
  }

  destroy(): void {
    for (const { direct, work, apply } of this.batches)
      for (const stage of [direct, work, ...apply]) stage.destroy();
    for (const array of this.arrays) array.destroy();
  }
}
