import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { LANE, bytesOf } from '../../codecs/codec.js';
import { type BindGroups, bindBuffers } from '../../gpu/bind-groups.js';
import { type Planned, type Pipeline, getPipelineSync } from '../../gpu/pipelines.js';
import type { RowLayout } from '../../kernel/row.js';
import { type RuleLayout, joinsNeighbours } from '../../kernel/rule-layout.js';
import { streamOf } from '../../random-stream.js';
import { type KernelShape, chooseGrid, chooseShape, shapeOfBlocks } from '../../kernel/shape.js';
import { type SegmentBases, segmentsByteLength, writeSegments } from '../../kernel/segment.js';
import { type StepBinding, type StepVariant, stepBindings, stepPipeline } from '../../kernel/step-kernel.js';
import type { WordView } from '../../kernel/structs.js';
import type { Batch } from '../../plan/batches.js';
import { type PlanTensor } from '../../plan/pieces.js';
import { planMove } from '../../plan/move.js';
import { type StepPlan, planStep } from '../../plan/plan.js';
import { checkSlotBindings } from './check-bindings.js';
import { type Overflows, hasRoomForCount } from './overflows.js';
import { type Stretch, type StretchFacts, unitOf, withLayout } from '../../plan/stretch.js';
import { type RowDispatch, encodeDispatches, encodeProbes } from '../dispatches.js';
import { oncePerKind } from '../once-per-kind.js';
import { Portions } from '../portions.js';
import type { Stage, StepContext } from '../stage.js';

/** What an elementwise stage steps, and how. */
export interface UpdateInput {
  readonly device: GPUDevice;
  readonly layout: RuleLayout;
  readonly row: RowLayout;
  /** Their state has a place, if the layout has slots. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly facts: StretchFacts<GPUBuffer>;
  /** Whether gradients are clamped by value. */
  readonly isClamped: boolean;
  /** What of the kernels' shape is not to be chosen. */
  readonly shape: Partial<KernelShape>;
  /** A slot's slab. */
  readonly slab: (slot: string, index: number) => GPUBuffer;
  /** A tensor's record, by its index, for rules that measure tensors. */
  readonly record?: ((tensor: number) => GPUBufferBinding) | undefined;
  /** Counts weights that become infinite by rounding, if that is to be known. */
  readonly overflows?: Overflows;
  readonly nameOf: (tensor: number) => string;
  readonly bindGroups: BindGroups;
  readonly label: string;
}

/** Facts to plan its dispatches with. */
const factsOf = ({ facts, layout, overflows }: UpdateInput): StretchFacts<GPUBuffer> => ({
  ...withLayout(facts, layout),
  ...(overflows && hasRoomForCount(layout, facts.limits) && { isCounted: true }),
});

/**
 * Plans the elementwise pass over some tensors: the step of a rule, or anything that has the form of one.
 *
 * @throws OptimizerError `limit-exceeded` if the rule needs more storage bindings than the device has.
 */
export function planUpdate(input: UpdateInput): Planned<UpdateStage> {
  const { device, layout, tensors } = input;
  const facts = factsOf(input);
  checkSlotBindings(layout, tensors, facts.limits);
  const plan = planStep(
    tensors,
    layout.elementSlots.length,
    facts,
    joinsNeighbours(layout),
    layout.tensor !== undefined,
  );
  const { isScaled, cutLength } = layout.stateForm;
  const shapes = plan.batches.map(({ laneCount }) => {
    const shape = { ...chooseShape(adapterInfoOf(device), laneCount), ...input.shape };
    return isScaled ? shapeOfBlocks(shape, cutLength / LANE) : shape;
  });
  const sourceOf = oncePerKind((kind: Pick<StepVariant, 'access' | 'together' | 'shape'>) =>
    stepPipeline({ ...input, ...kind }),
  );
  const sources = plan.batches.map(({ access, parts }, k) =>
    sourceOf({ access, together: parts.length, shape: shapes[k]! }),
  );
  return {
    sources,
    make: () =>
      new UpdateStage(
        input,
        plan,
        sources.map((source) => getPipelineSync(device, source)),
        shapes,
      ),
  };
}

/** The elementwise pass over some tensors. */
export class UpdateStage implements Stage {
  readonly #segments: Portions;
  readonly #pipelines: readonly Pipeline[];
  readonly #commands: readonly RowDispatch[];
  readonly #plan: StepPlan<GPUBuffer>;
  /** Per batch, what its kernel binds. */
  readonly #bindings: readonly (readonly StepBinding[])[];

  constructor(
    private readonly input: UpdateInput,
    plan: StepPlan<GPUBuffer>,
    pipelines: readonly Pipeline[],
    shapes: readonly KernelShape[],
  ) {
    const { device, layout, label } = input;
    const { limits } = device;
    this.#plan = plan;
    this.#bindings = plan.batches.map(({ access, parts }) =>
      stepBindings({ layout, access, together: parts.length }),
    );
    this.#pipelines = pipelines;
    const lengths = plan.batches.map(({ access, parts }) => segmentsByteLength(access, parts.length));
    this.#segments = new Portions(
      device,
      `${label} segments`,
      lengths.reduce((largest, length) => Math.max(largest, length), 4),
      plan.batches.length,
      (view, firstWord, k) => this.#writeSegments(view, firstWord, plan.batches[k]!),
    );
    this.#commands = plan.batches.map((batch, k) => ({
      pipeline: pipelines[k]!.pipeline,
      grid: chooseGrid(batch.laneCount, shapes[k]!, limits.maxComputeWorkgroupsPerDimension),
      row: batch.row,
      bindGroup: this.#bind(batch, k),
    }));
  }

  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeDispatches(pass, this.#commands, step, this.input.row.rowsPerPage);
  }

  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    encodeProbes(pass, this.#commands, step);
  }

  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const move = planMove(this.#plan, changed, factsOf(this.input), this.input.nameOf);
    const bound = [...move.batches].map(([k, batch]) => [k, this.#bind(batch, k)] as const);
    return () => {
      move.commit();
      for (const [k, bindGroup] of bound) this.#commands[k]!.bindGroup = bindGroup;
    };
  }

  destroy(): void {
    this.#segments.destroy();
  }

  #writeSegments(view: WordView, firstWord: number, { parts, state, grad }: Batch<GPUBuffer>): void {
    writeSegments(view, firstWord, parts, (part) => {
      const ahead = part.stateStart + (part.state ? part.state.element - state!.element : 0);
      // Gathered gradients are float32.
      const gradAhead = grad ? part.grad!.offset - grad.offset : 0;
      return {
        grad_base: part.gradBase + gradAhead / unitOf(part.access.grad),
        state_base: part.access.state === 'vector' ? ahead / 4 : ahead,
        row: part.row % this.input.row.rowsPerPage,
        ...(part.access.isDrawn && this.#streamOf(part)),
      };
    });
  }

  /** Where a tensor's random numbers are. */
  #streamOf({ index, firstElement }: Stretch<GPUBuffer>): Partial<SegmentBases> {
    const [low, high] = streamOf(this.input.nameOf(index));
    return { first_lane: firstElement / LANE, stream_low: low, stream_high: high };
  }

  #bind(batch: Batch<GPUBuffer>, k: number): GPUBindGroup {
    const { device, bindGroups, label } = this.input;
    const bindings = this.#bindings[k]!;
    // All else that it binds stays as it is.
    const moving: GPUBufferBinding[] = [];
    for (const { data, grad = data } of batch.parts) moving.push(data, grad);
    return bindGroups.find(bindings, moving, () => {
      const resources = bindings.map((binding) => this.#resource(binding, batch, k));
      return bindBuffers(device, `${label} buffers ${k}`, this.#pipelines[k]!.layouts[0]!, resources);
    });
  }

  #resource({ role, name, tensor }: StepBinding, batch: Batch<GPUBuffer>, k: number): GPUBufferBinding {
    const { layout, slab, record, overflows } = this.input;
    const part = batch.parts[tensor]!;
    if (role === 'segments') {
      return this.#segments.binding(k, segmentsByteLength(batch.access, batch.parts.length));
    }
    if (role === 'data') return part.data;
    if (role === 'grad') return batch.grad ?? part.grad!;
    if (role === 'rows') return part.rows!;
    if (role === 'mask') return part.mask!;
    if (role === 'overflows') return overflows!.binding();
    if (role === 'record') return record!(part.index);
    const { slab: index, ...range } = batch.state!;
    return { buffer: slab(name, index), ...bytesOf(layout.codecOf(name), range) };
  }
}
