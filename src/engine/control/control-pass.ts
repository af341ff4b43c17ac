import finalizeWgsl from '../../../shaders/control/finalize.wgsl?raw';
import reduceWgsl from '../../../shaders/control/reduce.wgsl?raw';
import treeWgsl from '../../../shaders/control/tree.wgsl?raw';
import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import wordsWgsl from '../../../shaders/words.wgsl?raw';
import { alignUp } from '../../kernel/alignment.js';
import { controlFields } from '../../kernel/compose.js';
import type { Compilable } from '../../kernel/compilable.js';
import type { Pipeline, PipelineSource } from '../../kernel/pipeline-cache.js';
import { correctionRates } from '../../kernel/scalars.js';
import { chooseShape } from '../../kernel/shape.js';
import { shapeConstants } from '../../kernel/step-kernel.js';
import type { Rule } from '../../rules/rule.js';
import { OptimizerError } from '../../errors.js';
import { paddingOf } from '../arena-buffers.js';
import { BindGroupCache } from '../bind-group-cache.js';
import type { Piece } from '../plan/planned.js';
import { joinPieces } from '../plan/runs.js';
import { correctionWords } from './fixed-point.js';
import { type ReductionPlan, planReduction } from './plan-reduction.js';
import type { ResolvedGradientOptions } from './settings.js';

/** What the control pass keeps from step to step; the head of the WGSL struct `State`. */
export interface ControlState {
  /** Steps applied. */
  readonly step: number;
  /** Steps skipped. */
  readonly skipped: number;
  readonly consecutiveSkips: number;
  /** Steps with finite gradients since the loss scale last changed. */
  readonly growthTracker: number;
  readonly lossScale: number;
  /** Global norm of the unscaled gradients of the last step, before clipping. */
  readonly gradNorm: number;
  readonly clipFactor: number;
}

/** Bytes of the head of the WGSL struct `State`. */
export const CONTROL_STATE_BYTE_LENGTH = 32;
/** Bytes of what the WGSL struct `State` has of a correction. */
export const CORRECTION_BYTE_LENGTH = 32;
/** Bytes of the WGSL struct `Settings`. */
export const SETTINGS_BYTE_LENGTH = 48;
/** Bytes of what the WGSL struct `State` has of a group's joining. */
const JOINED_BYTE_LENGTH = 16;
const STRETCH_BYTE_LENGTH = 32;
/** Gradients are only read: on GPUs, more lanes per invocation leave fewer partials to finalize. */
const MIN_LANES_PER_INVOCATION = 16;
const NEVER = 0xffff_ffff;

/** The plan and pipelines of a control pass; made before any buffer is. */
export interface PreparedControl {
  readonly rules: readonly Rule[];
  readonly options: ResolvedGradientOptions;
  readonly plan: ReductionPlan<GPUBuffer>;
  readonly reducers: readonly Pipeline[];
  readonly finalizer: Pipeline;
}

function planGradients(device: GPUDevice, gradients: readonly Piece<GPUBuffer>[]): ReductionPlan<GPUBuffer> {
  return planReduction(
    joinPieces(gradients, paddingOf, false),
    device.limits,
    device.limits.maxComputeWorkgroupsPerDimension,
    (laneCount) => {
      const shape = chooseShape(device.adapterInfo, 4, laneCount);
      const lanesPerInvocation = Math.max(shape.lanesPerInvocation, MIN_LANES_PER_INVOCATION);
      return { ...shape, lanesPerInvocation };
    },
  );
}

/** Plans the reduction of all gradients, and its kernels. */
export function prepareControl(
  device: GPUDevice,
  rules: readonly Rule[],
  gradients: readonly Piece<GPUBuffer>[],
  options: ResolvedGradientOptions,
): Compilable<PreparedControl> {
  const plan = planGradients(device, gradients);
  const reducers = plan.stretches.map(({ shape }): PipelineSource => ({
    label: 'webgpu-optim reduce',
    code: `${lanesWgsl}\n${squaresWgsl}\n${treeWgsl}\n${reduceWgsl}`,
    entryPoint: 'reduce',
    constants: shapeConstants(shape),
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: STRETCH_BYTE_LENGTH },
        { type: 'read-only-storage', minBindingSize: 16 },
        { type: 'read-only-storage', minBindingSize: 4 },
        { type: 'storage', minBindingSize: 16 },
      ],
    ],
  }));
  const finalizer: PipelineSource = {
    label: 'webgpu-optim finalize',
    code: `${squaresWgsl}\n${treeWgsl}\n${wordsWgsl}\n${finalizeWgsl}`,
    entryPoint: 'finalize',
    constants: {
      CLIP: Number(options.maxGradNorm < Infinity),
      SKIP: Number(options.skipNonFinite),
      DYNAMIC: Number(options.dynamic !== undefined),
    },
    bindGroups: [
      [{ type: 'read-only-storage' }, { type: 'storage' }, { type: 'storage' }, { type: 'storage' }],
      [{ type: 'uniform', hasDynamicOffset: true, minBindingSize: SETTINGS_BYTE_LENGTH }],
    ],
  };
  return {
    sources: [finalizer, ...reducers],
    finish: ([finalize, ...reduce]) => ({ rules, options, plan, reducers: reduce, finalizer: finalize! }),
  };
}

/** The part of a step that looks at all gradients and decides: norm, clip, skip, count, corrections, loss scale. */
export class ControlPass {
  /** The head of the state, to be copied out. */
  readonly stateBuffer: GPUBuffer;
  readonly #partials: GPUBuffer;
  readonly #outputs: GPUBuffer;
  readonly #stretches: GPUBuffer;
  readonly #outputStride: number;
  readonly #stretchStride: number;
  readonly #bindGroups = new BindGroupCache();
  #reduceGroups: readonly GPUBindGroup[] = [];
  #finalizeGroup: GPUBindGroup | undefined;

  /** Creates the buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedControl,
    private readonly lossScaleBuffer: GPUBuffer,
    private readonly label: string,
  ) {
    const { limits } = device;
    const { plan, rules } = prepared;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const create = (what: string, size: number, usage: number) =>
      device.createBuffer({ label: `${label} ${what}`, size, usage });
    this.#outputStride = alignUp(4 * controlFields(rules[0]!).length, limits.minStorageBufferOffsetAlignment);
    this.#stretchStride = alignUp(STRETCH_BYTE_LENGTH, limits.minUniformBufferOffsetAlignment);
    this.#partials = create('partials', 16 * plan.partialCount, STORAGE);
    this.#outputs = create('control', this.#outputStride * rules.length, STORAGE | COPY_SRC);
    this.#stretches = create('stretches', this.#stretchStride * plan.stretches.length, UNIFORM | COPY_DST);
    const stateByteLength =
      CONTROL_STATE_BYTE_LENGTH +
      rules.length * (CORRECTION_BYTE_LENGTH * this.#correctionCount + JOINED_BYTE_LENGTH);
    this.stateBuffer = create('control state', stateByteLength, STORAGE | COPY_SRC | COPY_DST);
    const words = new Uint32Array((this.#stretchStride / 4) * plan.stretches.length);
    plan.stretches.forEach(({ stretch }, k) => words.set(stretch, (this.#stretchStride / 4) * k));
    device.queue.writeBuffer(this.#stretches, 0, words);
    const { lossScale } = prepared.options;
    this.#writeState({ step: 0, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale });
  }

  get #correctionCount(): number {
    return correctionRates(this.prepared.rules[0]!).length;
  }

  /** What a group's step kernels bind to learn the decisions. */
  outputBinding(group: number): GPUBufferBinding {
    const size = 4 * controlFields(this.prepared.rules[group]!).length;
    return { buffer: this.#outputs, offset: this.#outputStride * group, size };
  }

  /** Sets what is kept from step to step; the rules give the decay rates, `joinedAt` the steps applied before each group. */
  restore(
    state: Omit<ControlState, 'gradNorm' | 'clipFactor'>,
    rules = this.prepared.rules,
    joinedAt = rules.map(() => 0),
  ): void {
    this.#writeState(state, rules, joinedAt);
    this.device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(state.lossScale));
  }

  /**
   * Encodes the taking over of what another pass has decided so far, on the GPU, where steps may be under way.
   *
   * @param previous a pass over the first of these groups, with the same options; the others join now.
   */
  inherit(previous: ControlPass, encoder: GPUCommandEncoder): void {
    const [known, all] = [previous.prepared.rules.length, this.prepared.rules.length];
    const powersEnd = (groupCount: number) =>
      CONTROL_STATE_BYTE_LENGTH + groupCount * CORRECTION_BYTE_LENGTH * this.#correctionCount;
    const copy = (source: number, target: number, byteLength: number) =>
      encoder.copyBufferToBuffer(previous.stateBuffer, source, this.stateBuffer, target, byteLength);
    copy(0, 0, powersEnd(known));
    copy(powersEnd(known), powersEnd(all), JOINED_BYTE_LENGTH * known);
    // The count of applied steps is the first word.
    for (let g = known; g < all; g++) copy(0, powersEnd(all) + JOINED_BYTE_LENGTH * g, 4);
  }

  #writeState(
    state: Omit<ControlState, 'gradNorm' | 'clipFactor'>,
    rules = this.prepared.rules,
    joinedAt = rules.map(() => 0),
  ): void {
    const words = new Uint32Array(this.stateBuffer.size / 4);
    words.set([state.step, state.skipped, state.consecutiveSkips, state.growthTracker]);
    new Float32Array(words.buffer).set([state.lossScale, NaN, 1], 4);
    const powers = rules.flatMap((rule, g) =>
      correctionRates(rule).flatMap(([, rate]) => correctionWords(rate, state.step - joinedAt[g]!)),
    );
    const joined = joinedAt.flatMap((step) => [step, 0, 0, 0]);
    words.set([...powers, ...joined], CONTROL_STATE_BYTE_LENGTH / 4);
    this.device.queue.writeBuffer(this.stateBuffer, 0, words);
  }

  /** Fills a step's `Settings`. */
  writeSettings(view: Float32Array, gradScale: number): void {
    const { plan, rules, options } = this.prepared;
    const { maxConsecutiveSkips, dynamic, maxGradNorm } = options;
    const words = new Uint32Array(view.buffer, view.byteOffset, view.length);
    words.set([
      plan.partialCount,
      rules.length,
      this.#outputStride / 4,
      this.#correctionCount,
      Math.min(maxConsecutiveSkips, NEVER),
      dynamic?.growthInterval ?? 0,
    ]);
    view.set([maxGradNorm, gradScale, dynamic?.growthFactor ?? 1, dynamic?.backoffFactor ?? 1], 6);
  }

  /** Makes the bind groups; run it in error scopes. */
  bind(): void {
    const { plan, finalizer } = this.prepared;
    this.#reduceGroups = this.#bindStretches(plan);
    const buffers = [this.#partials, this.stateBuffer, this.#outputs, this.lossScaleBuffer];
    this.#finalizeGroup = this.device.createBindGroup({
      label: `${this.label} finalize`,
      layout: finalizer.layouts[0]!,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
  }

  /**
   * Prepares the same reduction over other gradients.
   *
   * @returns what makes the change, and cannot fail.
   * @throws OptimizerError `invalid-parameter` if they lie so differently that another reduction would be needed.
   */
  prepareRebind(gradients: readonly Piece<GPUBuffer>[]): () => void {
    const next = planGradients(this.device, gradients);
    const structureOf = ({ stretches }: ReductionPlan<GPUBuffer>) =>
      JSON.stringify(stretches.map(({ stretch }) => stretch));
    if (structureOf(next) !== structureOf(this.prepared.plan)) {
      throw new OptimizerError(
        'invalid-parameter',
        'rebind(): the gradients would lie so differently that another reduction is needed; give ranges with the same ' +
          'offsets modulo 256 bytes, or create a new optimizer from a state dict.',
      );
    }
    const groups = this.#bindStretches(next);
    return () => {
      this.#reduceGroups = groups;
    };
  }

  #bindStretches({ stretches }: ReductionPlan<GPUBuffer>): GPUBindGroup[] {
    return stretches.map(({ binding }, k) =>
      this.#bindGroups.get([binding], String(k), () =>
        this.device.createBindGroup({
          label: `${this.label} reduce ${k}`,
          layout: this.prepared.reducers[k]!.layouts[0]!,
          entries: [
            {
              binding: 0,
              resource: {
                buffer: this.#stretches,
                offset: this.#stretchStride * k,
                size: STRETCH_BYTE_LENGTH,
              },
            },
            // A gradient of one to three elements has no room for a vec4 and needs none, but something must be bound.
            { binding: 1, resource: binding.size < 16 ? { buffer: this.stateBuffer } : { ...binding } },
            { binding: 2, resource: { ...binding } },
            { binding: 3, resource: { buffer: this.#partials } },
          ],
        }),
      ),
    );
  }

  /** Layout of the settings' bind group. */
  get settingsLayout(): GPUBindGroupLayout {
    return this.prepared.finalizer.layouts[1]!;
  }

  /** Encodes reduction and decision into a pass, before any step kernel. */
  encode(pass: GPUComputePassEncoder, settings: GPUBindGroup, settingsOffset: Uint32Array): void {
    const { plan, reducers, finalizer } = this.prepared;
    plan.stretches.forEach(({ grid }, k) => {
      pass.setPipeline(reducers[k]!.pipeline);
      pass.setBindGroup(0, this.#reduceGroups[k]);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    });
    pass.setPipeline(finalizer.pipeline);
    pass.setBindGroup(0, this.#finalizeGroup);
    pass.setBindGroup(1, settings, settingsOffset, 0, 1);
    pass.dispatchWorkgroups(1);
  }

  destroy(): void {
    for (const buffer of [this.stateBuffer, this.#partials, this.#outputs, this.#stretches]) buffer.destroy();
  }
}

/** Reads the head of the state from its bytes. */
export function parseControlState(bytes: ArrayBuffer): ControlState {
  const [step, skipped, consecutiveSkips, growthTracker] = new Uint32Array(bytes, 0, 4);
  const [lossScale, gradNorm, clipFactor] = new Float32Array(bytes, 16, 3);
  return {
    step: step!,
    skipped: skipped!,
    consecutiveSkips: consecutiveSkips!,
    growthTracker: growthTracker!,
    lossScale: lossScale!,
    gradNorm: gradNorm!,
    clipFactor: clipFactor!,
  };
}
