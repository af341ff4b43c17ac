import { OptimizerError, quote } from '../errors.js';
import { compile, compileSync } from '../kernel/compilable.js';
import { createAccumulator } from './accumulator.js';
import type { ResolvedConfig, ResolvedGroup } from './config.js';
import { ControlPass } from './control/control-pass.js';
import { StatsRing } from './control/stats-ring.js';
import { captureErrors, captureErrorsSync, rejectLostDevice } from './device.js';
import { Evaluation } from './evaluation.js';
import { Evaluations } from './evaluations.js';
import { GroupExecutor } from './group-executor.js';
import { checkKernelLimits } from './kernel-options.js';
import { type PreparedRunner, allocationError, prepareRunner, rejectionError } from './prepare-runner.js';
import type { SidePass } from './side-pass.js';
import { SparseGradients } from './sparse/sparse-gradients.js';
import { type StepInputs, StepScalars } from './step-scalars.js';

/** Everything on the GPU that a step needs: made as a whole or not at all, and freed as a whole. */
export class StepRunner {
  readonly executors: readonly GroupExecutor[];
  /** Decides on the GPU; absent where nothing is to be decided. */
  readonly control: ControlPass | undefined;
  readonly stats: StatsRing | undefined;
  /** One float32: the loss scale. */
  readonly lossScaleBuffer: GPUBuffer;
  readonly evaluations: Evaluations;
  readonly #own: readonly GroupExecutor[];
  // Commands encoded before a group was added still refer to what this made.
  readonly #previous: StepRunner | undefined;
  readonly #sparse: SparseGradients;
  readonly #scalars: StepScalars;
  readonly #device: GPUDevice;
  readonly #label: string;
  #accumulator: SidePass | undefined;

  /** Creates all buffers; run it in error scopes. */
  private constructor(
    device: GPUDevice,
    { groups, gradients, label }: ResolvedConfig,
    { control: preparedControl, groups: preparedGroups }: PreparedRunner,
    sparse: SparseGradients,
    previous: StepRunner | undefined,
  ) {
    const { rule } = groups[0]!;
    this.#device = device;
    this.#label = label;
    this.#sparse = sparse;
    this.#previous = previous;
    this.evaluations = new Evaluations(previous?.evaluations);
    this.lossScaleBuffer = previous?.lossScaleBuffer ?? createLossScale(device, gradients.lossScale, label);
    if (preparedControl) {
      this.control = new ControlPass(device, preparedControl, this.lossScaleBuffer, label);
      this.stats = new StatsRing(device, this.control.stateBuffer, label);
    }
    const known = previous?.executors ?? [];
    this.#own = preparedGroups.map((prepared, k) => {
      const g = known.length + k;
      const groupLabel = `${label} ${rule.name}${g > 0 ? ` group ${g}` : ''}`;
      return new GroupExecutor(device, prepared, groupLabel);
    });
    this.executors = [...known, ...this.#own];
    const layouts = this.executors.map(({ scalarsLayout }) => scalarsLayout);
    this.#scalars = new StepScalars(device, rule, layouts, this.control, gradients, label);
  }

  /**
   * Compiles the kernels, allocates everything and tries the caller's buffers.
   *
   * @param previous a runner of the first of these groups: their state and the loss scale are taken over, and it
   *   is freed with the new one.
   * @throws OptimizerError `out-of-memory`, `limit-exceeded`, `invalid-parameter`, `device-lost`, `shader`.
   */
  static async create(device: GPUDevice, config: ResolvedConfig, previous?: StepRunner): Promise<StepRunner> {
    checkKernelLimits(device, config.kernel);
    const parameters = config.groups.flatMap((group) => group.parameters);
    const known = previous ? previous.#sparse : undefined;
    const sparse = await SparseGradients.create(device, parameters, config.label, known);
    try {
      const groups = sparse.resolve(config.groups);
      return await StepRunner.#create(device, { ...config, groups }, sparse, previous);
    } catch (failure) {
      sparse.destroyOwn();
      throw failure;
    }
  }

  static async #create(
    device: GPUDevice,
    config: ResolvedConfig,
    sparse: SparseGradients,
    previous: StepRunner | undefined,
  ): Promise<StepRunner> {
    const prepared = await compile(device, prepareRunner(device, config, previous?.executors.length));
    const { result: runner, error } = await captureErrors(
      device,
      () => new StepRunner(device, config, prepared, sparse, previous),
    );
    try {
      if (error) throw allocationError(error, prepared);
      await runner.#bind(config);
      rejectLostDevice(device);
      return runner;
    } catch (failure) {
      runner.destroyOwn();
      throw failure;
    }
  }

  /**
   * As {@link StepRunner.create}, at once: compiles while the caller waits.
   *
   * @returns the runner, and a promise that rejects with what {@link StepRunner.create} throws of the device's; steps
   *   are without effect then.
   * @throws OptimizerError `limit-exceeded`, and `invalid-config` for what takes waiting.
   */
  static createSync(
    device: GPUDevice,
    config: ResolvedConfig,
    previous?: StepRunner,
  ): { runner: StepRunner; checked: Promise<void> } {
    checkKernelLimits(device, config.kernel);
    for (const { name, sparse, microGrad } of config.groups.flatMap((group) => group.parameters)) {
      if (!sparse && !microGrad) continue;
      const what = sparse ? 'a sparse gradient' : 'a microGrad';
      const message = `parameter ${quote(name)} has ${what}; use the asynchronous create() and addGroup().`;
      throw new OptimizerError('invalid-config', message);
    }
    const plan = prepareRunner(device, config, previous?.executors.length);
    const prepared = compileSync(device, plan);
    const { result: runner, error: allocating } = captureErrorsSync(
      device,
      () => new StepRunner(device, config, prepared, SparseGradients.none(), previous),
    );
    const { error: binding } = captureErrorsSync(device, () => runner.#bindSync(config));
    const check = async (): Promise<void> => {
      await compile(device, plan);
      // The first one first: what could not be allocated cannot be bound, either.
      const [shortage, rejection] = await Promise.all([allocating, binding]);
      if (shortage) throw allocationError(shortage, prepared);
      if (rejection) throw rejectionError(rejection);
    };
    return { runner, checked: check() };
  }

  /** Adds micro-batches' gradients; absent if no parameter has any. */
  get accumulator(): SidePass | undefined {
    return this.#accumulator;
  }

  /**
   * Encodes a step as one compute pass.
   *
   * @param pendingIn the caller's encoder, or undefined if the step is submitted at once.
   * @param skipped names of parameters to be left as they are.
   */
  encode(
    encoder: GPUCommandEncoder,
    inputs: StepInputs,
    pendingIn?: GPUCommandEncoder,
    skipped?: ReadonlySet<string>,
  ): void {
    const scalars = this.#scalars;
    scalars.write(inputs, pendingIn);
    const pass = encoder.beginComputePass({ label: `${this.#label} step` });
    this.#sparse.encode(pass);
    this.control?.encode(pass, scalars.settings!, scalars.offsetOf(inputs.groups.length));
    this.executors.forEach((executor, g) => {
      executor.encode(pass, scalars.groups[g]!, scalars.offsetOf(g), skipped);
    });
    pass.end();
  }

  /**
   * Steps the same groups over other buffers from now on.
   *
   * @throws OptimizerError `invalid-parameter` if that needs other kernels; nothing changes then.
   */
  rebind(given: readonly ResolvedGroup[]): void {
    const groups = this.#sparse.resolve(given);
    const changes = this.executors.map((executor, g) => executor.prepareRebind(groups[g]!));
    const gradients = groups.flatMap(({ parameters }) => parameters.flatMap(({ grad }) => grad));
    if (this.control) changes.push(this.control.prepareRebind(gradients));
    changes.push(...this.evaluations.prepareRebind(groups));
    for (const change of changes) change();
  }

  destroy(): void {
    this.#previous?.destroy();
    this.destroyOwn();
  }

  /** Frees what this runner made, not what it took over. */
  destroyOwn(): void {
    for (const executor of this.#own) executor.destroy();
    this.#accumulator?.destroy();
    this.evaluations.destroyOwn();
    this.#sparse.destroyOwn();
    this.control?.destroy();
    this.stats?.destroy();
    this.#scalars.destroy();
    if (!this.#previous) this.lossScaleBuffer.destroy();
  }

  /** Binds and tries the caller's buffers, and makes what stands beside the steps. */
  async #bind({ groups, label }: ResolvedConfig): Promise<void> {
    for (const executor of this.#own) {
      await executor.bind(this.#scalars.groups[this.executors.indexOf(executor)]!);
    }
    const { error } = await captureErrors(this.#device, () => this.control?.bind());
    if (error)
      throw new OptimizerError('invalid-parameter', `the device rejects the gradients: ${error.message}`);
    const parameters = groups.flatMap((group) => group.parameters);
    this.#accumulator = await createAccumulator(this.#device, parameters, label);
    for (const executor of this.#own) {
      const group = groups[this.executors.indexOf(executor)]!;
      this.evaluations.add(await Evaluation.create(this.#device, group, executor.state, label));
    }
  }

  /** As {@link StepRunner.#bind}, at once and without trying the buffers; run it in error scopes. */
  #bindSync({ groups, label }: ResolvedConfig): void {
    for (const executor of this.#own) {
      executor.bindSync();
      const group = groups[this.executors.indexOf(executor)]!;
      this.evaluations.add(Evaluation.createSync(this.#device, group, executor.state, label));
    }
    this.control?.bind();
  }
}

function createLossScale(device: GPUDevice, lossScale: number, label: string): GPUBuffer {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const usage = STORAGE | UNIFORM | COPY_SRC | COPY_DST;
  const buffer = device.createBuffer({ label: `${label} loss scale`, size: 16, usage });
  device.queue.writeBuffer(buffer, 0, Float32Array.of(lossScale));
  return buffer;
}
