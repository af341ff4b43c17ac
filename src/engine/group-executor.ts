import { chooseGrid } from '../kernel/shape.js';
import type { Kernel } from '../kernel/step-kernel.js';
import type { ResolvedGroup } from './config.js';
import { GroupBindings } from './group-bindings.js';
import { type Batch, joinBatch, mostLanes } from './plan/batches.js';
import type { Plan } from './plan/planned.js';
import { type PreparedGroup, planGroup } from './prepare-group.js';
import { probe } from './probe.js';
import { rejectOtherStructure, rejectUnshareable } from './rebind.js';
import { StateStore } from './state-store.js';
import { TensorPass } from './tensor-pass.js';

/** A dispatch ready to be encoded. */
interface Command {
  readonly kernel: Kernel;
  readonly batch: Batch<GPUBuffer>;
  readonly buffers: GPUBindGroup;
  readonly grid: readonly [number, number];
  /** Whose elements each part covers; of neighbours, the first. */
  readonly parameterNames: readonly string[];
}

/** The GPU side of one group: its state, its dispatches, and how to encode a step of it. */
export class GroupExecutor {
  readonly state: StateStore;
  readonly #tensorPass: TensorPass | undefined;
  readonly #bindings: GroupBindings;
  #commands: readonly Command[] = [];

  /** Creates all buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedGroup,
    private readonly label: string,
  ) {
    const { group, plan, tensorPass } = prepared;
    if (tensorPass) this.#tensorPass = new TensorPass(device, tensorPass, label);
    this.state = new StateStore(device, group.rule, plan, label, this.#tensorPass);
    this.#bindings = new GroupBindings(device, prepared, this.state, this.#tensorPass, label);
  }

  /** Layout of the scalars' bind group. */
  get scalarsLayout(): GPUBindGroupLayout {
    return this.prepared.kernels[0]!.scalarsLayout;
  }

  /**
   * Makes the bind groups, and tries them.
   *
   * @param scalars the bind group of group 1.
   * @throws OptimizerError `invalid-parameter` naming the parameter, if the device rejects a buffer.
   */
  async bind(scalars: GPUBindGroup): Promise<void> {
    const make = (): readonly Command[] => {
      this.#makeBindGroups();
      return this.#commands;
    };
    await probe(this.device, this.prepared, this.#bindings, make, scalars, this.label);
    this.#bindings.writeSegments();
  }

  /** As {@link bind}, at once and without trying the buffers; run it in error scopes. */
  bindSync(): void {
    this.#makeBindGroups();
    this.#bindings.writeSegments();
  }

  /**
   * Prepares the same group over other buffers: same kernels, same state. Bind groups that were there before are
   * taken again.
   *
   * @returns what makes the change, and cannot fail.
   * @throws OptimizerError `invalid-parameter` if the tensors lie so differently that other kernels would be needed.
   */
  prepareRebind(group: ResolvedGroup): () => void {
    const { plan, composition } = this.prepared;
    const next = planGroup(this.device, group);
    rejectOtherStructure(group, plan.dispatches, next.dispatches);
    const batches = composition.map((parts) => parts.map((k) => next.dispatches[k]!));
    for (const parts of batches) rejectUnshareable(group, parts);
    const commands = batches.map((parts, k) => this.#createCommand(joinBatch(parts), k));
    const measureElsewhere = this.#prepareMeasuring(next);
    return () => {
      this.#commands = commands;
      measureElsewhere?.();
    };
  }

  /**
   * Encodes one step of the group into a pass.
   *
   * @param skipped names of parameters to be left as they are.
   */
  encode(
    pass: GPUComputePassEncoder,
    scalars: GPUBindGroup,
    scalarsOffset: Uint32Array,
    skipped?: ReadonlySet<string>,
  ): void {
    this.#tensorPass?.encode(pass, scalars, scalarsOffset);
    let current: Kernel | undefined;
    // By index: the pairs of `entries()` would be an allocation per dispatch and step.
    for (let k = 0; k < this.#commands.length; k++) {
      const command = this.#commands[k]!;
      const { kernel, grid } = command;
      const buffers = skipped ? this.#buffersWithout(command, k, skipped) : command.buffers;
      if (!buffers) continue;
      if (kernel !== current) {
        pass.setPipeline(kernel.pipeline);
        pass.setBindGroup(1, scalars, scalarsOffset, 0, 1);
        current = kernel;
      }
      pass.setBindGroup(0, buffers);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
  }

  destroy(): void {
    this.state.destroy();
    this.#tensorPass?.destroy();
    this.#bindings.destroy();
  }

  #makeBindGroups(): void {
    this.#commands = this.prepared.batches.map((batch, k) => this.#createCommand(batch, k));
    this.#prepareMeasuring(this.prepared.plan)?.();
  }

  /** What a dispatch binds that leaves some parameters as they are; nothing if these are all that it covers. */
  #buffersWithout(
    { batch, buffers, parameterNames }: Command,
    k: number,
    skipped: ReadonlySet<string>,
  ): GPUBindGroup | undefined {
    const isLeftOut = parameterNames.map((name) => skipped.has(name));
    if (!isLeftOut.includes(true)) return buffers;
    if (!isLeftOut.includes(false)) return undefined;
    return this.#bindings.getWithout(k, batch, isLeftOut);
  }

  #prepareMeasuring({ chunks }: Plan<GPUBuffer>): (() => void) | undefined {
    return this.#tensorPass?.prepareBinding(chunks, (slot, bufferIndex) =>
      this.state.buffer(slot, bufferIndex),
    );
  }

  #createCommand(batch: Batch<GPUBuffer>, k: number): Command {
    const { kernels, shapes, group } = this.prepared;
    const { maxComputeWorkgroupsPerDimension } = this.device.limits;
    return {
      kernel: kernels[k]!,
      batch,
      buffers: this.#bindings.get(k, batch),
      grid: chooseGrid(mostLanes(batch), shapes[k]!, maxComputeWorkgroupsPerDimension),
      parameterNames: batch.parts.map(({ parameterIndex }) => group.parameters[parameterIndex]!.name),
    };
  }
}
