import { OptimizerError } from '../../errors.js';
import { alignUp } from '../../kernel/alignment.js';
import { controlFields } from '../../kernel/compose.js';
import { BindGroupCache } from '../bind-group-cache.js';
import type { Piece } from '../plan/planned.js';
import { type KeptState, copyState, correctionCount, stateByteLength, stateWords } from './control-state.js';
import type { ReductionPlan } from './plan-reduction.js';
import { type PreparedControl, STRETCH_BYTE_LENGTH, planGradients } from './prepare-control.js';

/** For `maxConsecutiveSkips` Infinity. */
const NEVER = 0xffff_ffff;

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
    this.stateBuffer = create('control state', stateByteLength(rules), STORAGE | COPY_SRC | COPY_DST);
    const words = new Uint32Array((this.#stretchStride / 4) * plan.stretches.length);
    plan.stretches.forEach(({ stretch }, k) => words.set(stretch, (this.#stretchStride / 4) * k));
    device.queue.writeBuffer(this.#stretches, 0, words);
    const { lossScale } = prepared.options;
    this.#writeState({ step: 0, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale });
  }

  /** What a group's step kernels bind to learn the decisions. */
  outputBinding(group: number): GPUBufferBinding {
    const size = 4 * controlFields(this.prepared.rules[group]!).length;
    return { buffer: this.#outputs, offset: this.#outputStride * group, size };
  }

  /** Sets what is kept from step to step; the rules give the decay rates, `joinedAt` the steps applied before each group. */
  restore(state: KeptState, rules = this.prepared.rules, joinedAt = rules.map(() => 0)): void {
    this.#writeState(state, rules, joinedAt);
    this.device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(state.lossScale));
  }

  /**
   * Encodes the taking over of what another pass has decided so far, on the GPU, where steps may be under way.
   *
   * @param previous a pass over the first of these groups, with the same options; the others join now.
   */
  inherit(previous: ControlPass, encoder: GPUCommandEncoder): void {
    copyState(encoder, previous.stateBuffer, previous.prepared.rules, this.stateBuffer, this.prepared.rules);
  }

  #writeState(state: KeptState, rules = this.prepared.rules, joinedAt = rules.map(() => 0)): void {
    this.device.queue.writeBuffer(this.stateBuffer, 0, stateWords(state, rules, joinedAt));
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
      correctionCount(rules),
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
