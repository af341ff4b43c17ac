import { OptimizerError, quote } from '../errors.js';
import { type Compilable, compilableList, compile, compileSync } from '../kernel/compilable.js';
import { scalarNames, scalarsByteLength, stepScalars } from '../kernel/scalars.js';
import type { Rule } from '../rules/rule.js';
import { createAccumulator } from './accumulator.js';
import type { ResolvedConfig, ResolvedGroup } from './config.js';
import {
  ControlPass,
  type PreparedControl,
  SETTINGS_BYTE_LENGTH,
  prepareControl,
} from './control/control-pass.js';
import { type ResolvedGradientOptions, needsControlPass } from './control/settings.js';
import { StatsRing } from './control/stats-ring.js';
import { checkKernelLimits } from './kernel-options.js';
import { captureErrors, captureErrorsSync, isDeviceLost, rejectLostDevice } from './device.js';
import { Evaluation } from './evaluation.js';
import { GroupExecutor, type PreparedGroup, prepareGroup } from './group-executor.js';
import { ScalarRing } from './scalar-ring.js';
import type { SidePass } from './side-pass.js';
import { SparseGradients } from './sparse/sparse-gradients.js';

/** What a step needs to know beside what is on the GPU already. */
export interface StepInputs {
  /** Per group, the rule with its present options, and the learning rate in force. */
  readonly groups: readonly {
    readonly rule: Rule;
    readonly lr: number;
    /** 1-based number of the group's step; where steps may be skipped, the GPU's own count takes its place. */
    readonly t: number;
  }[];
  readonly gradScale: number;
}

/** Everything on the GPU that a step needs: made as a whole or not at all, and freed as a whole. */
export class StepRunner {
  readonly executors: readonly GroupExecutor[];
  /** Decides on the GPU; absent where nothing is to be decided. */
  readonly control: ControlPass | undefined;
  readonly stats: StatsRing | undefined;
  /** One float32: the loss scale. */
  readonly lossScaleBuffer: GPUBuffer;
  readonly #own: readonly GroupExecutor[];
  // Commands encoded before a group was added still refer to what this made.
  readonly #previous: StepRunner | undefined;
  readonly #sparse: SparseGradients;
  readonly #ring: ScalarRing;
  readonly #device: GPUDevice;
  readonly #gradients: ResolvedGradientOptions;
  readonly #label: string;
  readonly #scalarNames: readonly string[];
  readonly #offset = new Uint32Array(1);
  #scalarGroups: readonly GPUBindGroup[];
  #settingsGroup: GPUBindGroup | undefined;
  #accumulator: SidePass | undefined;
  /** Per group, where its rule has one; of these, those that this runner made. */
  #evaluations: readonly (Evaluation | undefined)[];
  readonly #ownEvaluations: Evaluation[] = [];

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
    this.#gradients = gradients;
    this.#label = label;
    this.#scalarNames = scalarNames(rule);
    this.#sparse = sparse;
    this.#previous = previous;
    this.#evaluations = previous ? previous.#evaluations : [];
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    if (previous) {
      this.lossScaleBuffer = previous.lossScaleBuffer;
    } else {
      const usage = STORAGE | UNIFORM | COPY_SRC | COPY_DST;
      this.lossScaleBuffer = device.createBuffer({ label: `${label} loss scale`, size: 16, usage });
      device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(gradients.lossScale));
    }
    const structCount = groups.length + Number(preparedControl !== undefined);
    const structByteLength = Math.max(scalarsByteLength(rule), SETTINGS_BYTE_LENGTH);
    this.#ring = new ScalarRing(device, structCount, structByteLength, label);
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
    this.#scalarGroups = this.#bindScalars();
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
    const prepared = await compile(device, prepare(device, config, previous?.executors.length));
    const { result: runner, error } = await captureErrors(
      device,
      () => new StepRunner(device, config, prepared, sparse, previous),
    );
    try {
      if (error) throw allocationError(error, prepared);
      await runner.#bind();
      const { groups, label } = config;
      const parameters = groups.flatMap((group) => group.parameters);
      runner.#accumulator = await createAccumulator(device, parameters, label);
      await runner.#createEvaluations(groups);
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
    const plan = prepare(device, config, previous?.executors.length);
    const prepared = compileSync(device, plan);
    const { result: runner, error: allocating } = captureErrorsSync(
      device,
      () => new StepRunner(device, config, prepared, SparseGradients.none(), previous),
    );
    const { error: binding } = captureErrorsSync(device, () => {
      for (const executor of runner.#own) {
        executor.bindSync();
        const group = config.groups[runner.executors.indexOf(executor)]!;
        runner.#addEvaluation(Evaluation.createSync(device, group, executor.state, config.label));
      }
      runner.control?.bind();
    });
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

  /** What exchanges weights that train for those to evaluate with; empty if they are the same. */
  get evaluations(): readonly Evaluation[] {
    return this.#evaluations.filter((evaluation) => evaluation !== undefined);
  }

  /**
   * Encodes a step as one compute pass.
   *
   * @param pendingIn the caller's encoder, or undefined if the step is submitted at once.
   * @param skipped names of parameters to be left as they are.
   */
  encode(
    encoder: GPUCommandEncoder,
    { groups, gradScale }: StepInputs,
    pendingIn?: GPUCommandEncoder,
    skipped?: ReadonlySet<string>,
  ): void {
    const gradient = {
      multiplier: gradScale / this.#gradients.lossScale,
      maxValue: this.#gradients.maxGradValue,
    };
    const { byteOffset, grown } = this.#ring.take(pendingIn, (view, k) => {
      const group = groups[k];
      if (!group) {
        this.control!.writeSettings(view, gradScale);
        return;
      }
      const scalars = stepScalars(group.rule, group.lr, group.t, gradient);
      this.#scalarNames.forEach((name, field) => (view[field] = scalars[name]!));
    });
    if (grown) this.#scalarGroups = this.#bindScalars();
    const pass = encoder.beginComputePass({ label: `${this.#label} step` });
    this.#sparse.encode(pass);
    if (this.control) {
      this.#offset[0] = byteOffset + this.#ring.structOffset(groups.length);
      this.control.encode(pass, this.#settingsGroup!, this.#offset);
    }
    this.executors.forEach((executor, g) => {
      this.#offset[0] = byteOffset + this.#ring.structOffset(g);
      executor.encode(pass, this.#scalarGroups[g]!, this.#offset, skipped);
    });
    pass.end();
  }

  /** Takes over the groups' options, where they changed what evaluates. */
  setRules(rules: readonly Rule[]): void {
    this.#evaluations.forEach((evaluation, g) => evaluation?.setRule(rules[g]!));
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
    this.#evaluations.forEach((evaluation, g) => {
      if (evaluation) changes.push(evaluation.prepareRebind(groups[g]!));
    });
    for (const change of changes) change();
  }

  get isDeviceLost(): boolean {
    return isDeviceLost(this.#device);
  }

  destroy(): void {
    this.#previous?.destroy();
    this.destroyOwn();
  }

  /** Frees what this runner made, not what it took over. */
  destroyOwn(): void {
    for (const executor of this.#own) executor.destroy();
    this.#accumulator?.destroy();
    for (const evaluation of this.#ownEvaluations) evaluation.destroy();
    this.#sparse.destroyOwn();
    this.control?.destroy();
    this.stats?.destroy();
    this.#ring.destroy();
    if (!this.#previous) this.lossScaleBuffer.destroy();
  }

  async #createEvaluations(groups: readonly ResolvedGroup[]): Promise<void> {
    for (const executor of this.#own) {
      const group = groups[this.executors.indexOf(executor)]!;
      this.#addEvaluation(await Evaluation.create(this.#device, group, executor.state, this.#label));
    }
  }

  #addEvaluation(evaluation: Evaluation | undefined): void {
    if (evaluation) this.#ownEvaluations.push(evaluation);
    this.#evaluations = [...this.#evaluations, evaluation];
  }

  async #bind(): Promise<void> {
    for (const executor of this.#own) {
      await executor.bind(this.#scalarGroups[this.executors.indexOf(executor)]!);
    }
    const { error } = await captureErrors(this.#device, () => this.control?.bind());
    if (error)
      throw new OptimizerError('invalid-parameter', `the device rejects the gradients: ${error.message}`);
  }

  /** The bind groups that refer to the ring's buffer; made anew when that grows. */
  #bindScalars(): readonly GPUBindGroup[] {
    const scalars = { buffer: this.#ring.buffer, size: Math.ceil(this.#scalarNames.length / 4) * 16 };
    if (this.control) {
      this.#settingsGroup = this.#device.createBindGroup({
        label: `${this.#label} settings`,
        layout: this.control.settingsLayout,
        entries: [{ binding: 0, resource: { buffer: this.#ring.buffer, size: SETTINGS_BYTE_LENGTH } }],
      });
    }
    return this.executors.map((executor, g) =>
      this.#device.createBindGroup({
        label: `${this.#label} scalars ${g}`,
        layout: executor.scalarsLayout,
        entries: [
          { binding: 0, resource: scalars },
          ...(this.control ? [{ binding: 1, resource: this.control.outputBinding(g) }] : []),
        ],
      }),
    );
  }
}

/** What a runner is made of, before any buffer is. */
interface PreparedRunner {
  readonly control: PreparedControl | undefined;
  /** Those groups that are not known yet. */
  readonly groups: readonly PreparedGroup[];
}

function prepare(
  device: GPUDevice,
  { groups, gradients, kernel }: ResolvedConfig,
  knownCount = 0,
): Compilable<PreparedRunner> {
  const controlled = needsControlPass(gradients);
  const features = { controlled, clamped: gradients.maxGradValue < Infinity };
  const rules = groups.map(({ rule }) => rule);
  const spans = groups.flatMap(({ parameters }) => parameters.flatMap(({ grad }) => grad));
  const control = compilableList(controlled ? [prepareControl(device, rules, spans, gradients)] : []);
  const added = compilableList(
    groups.slice(knownCount).map((group) => prepareGroup(device, group, features, kernel)),
  );
  const controlCount = control.sources.length;
  return {
    sources: [...control.sources, ...added.sources],
    finish: (pipelines) => ({
      control: control.finish(pipelines.slice(0, controlCount))[0],
      groups: added.finish(pipelines.slice(controlCount)),
    }),
  };
}

/** Of buffers that nobody had the time to try one by one. */
function rejectionError(error: GPUError): OptimizerError {
  return new OptimizerError(
    'invalid-parameter',
    `the device rejects the buffers: ${error.message.trim()} Give buffers of this device, neither destroyed nor mapped.`,
  );
}

function allocationError(error: GPUError, { groups }: PreparedRunner): OptimizerError {
  const byteLength = groups.flatMap(({ plan }) => plan.stateByteLengths).reduce((sum, n) => sum + n, 0);
  return new OptimizerError(
    'out-of-memory',
    `the device could not allocate the optimizer state, ${byteLength} bytes per state slot: ` +
      `${error.message.trim()} Use fewer or smaller parameters, or a rule with less state.`,
  );
}
