import { OptimizerError } from '../errors.js';
import type { LearningRate } from '../rules/options.js';
import { rejectDestroyedArena } from './arena-buffers.js';
import { checkEncoder, encodeOrSubmit } from './commands.js';
import {
  type OptimizerConfig,
  type ParameterGroupConfig,
  type ResolvedConfig,
  resolveConfig,
} from './config.js';
import { checkGradScale } from './control/settings.js';
import { checkDevice, checkDeviceSync } from './device.js';
import { exchangeWeights } from './exchange-weights.js';
import { type ParameterGroup, rejectUnskippable } from './group.js';
import type { BufferChange } from './rebind.js';
import { restoreState, saveState } from './resume.js';
import { Roster, arenasOf } from './roster.js';
import type { StateDict } from './state-dict.js';
import { StepLog } from './step-log.js';
import { StepRunner } from './step-runner.js';
import type { StepInputs } from './step-scalars.js';
import { type StepStats, reportStep } from './step-stats.js';
import { UsageGuard } from './usage-guard.js';

/**
 * Updates parameters in place on the GPU, in one fused pass per step. It adopts the device and the
 * parameters' buffers and never destroys them; it owns the optimizer state.
 *
 * @example
 * const optimizer = await Optimizer.create(device, {
 *   rule: adam({ lr: 1e-3 }),
 *   params: [{ name: 'w', data: weights, grad: gradients }],
 * });
 * optimizer.step();
 */
export class Optimizer {
  readonly #device: GPUDevice;
  readonly #guard: UsageGuard;
  readonly #log = new StepLog();
  readonly #roster: Roster;
  #gradScale: number;

  private constructor(device: GPUDevice, config: ResolvedConfig, runner: StepRunner) {
    this.#device = device;
    this.#guard = new UsageGuard(device);
    this.#roster = new Roster(device, config, runner, this.#guard, this.#log);
    this.#gradScale = config.gradients.gradScale;
  }

  /**
   * Checks the config, compiles the kernels and allocates the state. Nothing of it is left if it fails.
   *
   * @param device the device that the parameters' buffers belong to.
   * @param config the rule and the parameters; see {@link OptimizerConfig}.
   * @throws OptimizerError on any bad input (unknown options, unusable or overlapping buffers, limits exceeded),
   *   a lost device, or when the device is out of memory.
   */
  static async create(device: GPUDevice, config: OptimizerConfig): Promise<Optimizer> {
    await checkDevice(device);
    const resolved = resolveConfig(config);
    rejectDestroyedArena(arenasOf(resolved), 'create');
    return new Optimizer(device, resolved, await StepRunner.create(device, resolved));
  }

  /**
   * As {@link Optimizer.create}, for callers that cannot wait, as a framework's step: kernels that are not compiled yet
   * are compiled while the caller waits. What the device turns out to reject (out of memory, buffers of another device) is
   * thrown by the next call after it is known; steps until then have no effect.
   *
   * @throws OptimizerError as {@link Optimizer.create} does for what needs no waiting, and `invalid-config` for sparse
   *   gradients and `microGrad`.
   */
  static createSync(device: GPUDevice, config: OptimizerConfig): Optimizer {
    checkDeviceSync(device);
    const resolved = resolveConfig(config);
    rejectDestroyedArena(arenasOf(resolved), 'createSync');
    const { runner, checked } = StepRunner.createSync(device, resolved);
    const optimizer = new Optimizer(device, resolved, runner);
    optimizer.#guard.failWith(checked);
    return optimizer;
  }

  /** The parameter groups; one if the config gave `params`. */
  get groups(): readonly ParameterGroup[] {
    return this.#roster.groups;
  }

  /**
   * Adds a group of parameters, as PyTorch's `add_param_group`; its state starts fresh,
   * and its bias corrections and averages count from here; schedules follow the optimizer's step.
   *
   * @returns the group, once it takes part in the steps.
   * @throws OptimizerError as {@link Optimizer.create}, and `invalid-config` after {@link eval}; the optimizer is as it
   *   was then.
   */
  async addGroup(group: ParameterGroupConfig): Promise<ParameterGroup> {
    this.#guard.check('addGroup');
    return this.#roster.add(group);
  }

  /**
   * As {@link Optimizer.addGroup}, at once, under the conditions of {@link Optimizer.createSync}. Steps that were encoded
   * before must have been submitted.
   *
   * @throws OptimizerError as {@link Optimizer.createSync}, and `invalid-config` after {@link eval} or while `addGroup` is
   *   under way.
   */
  addGroupSync(group: ParameterGroupConfig): ParameterGroup {
    this.#guard.checkTraining('addGroupSync');
    return this.#roster.addSync(group);
  }

  /** The rule's name, e.g. `'adam'`. */
  get rule(): string {
    return this.groups[0]!.rule.name;
  }

  /** The learning rate of the next step; with several groups, that of the first. */
  get lr(): number {
    return this.groups[0]!.lr;
  }

  /**
   * Sets the learning rate, or a schedule, of all groups from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN or infinite; nothing changes then.
   */
  set lr(lr: LearningRate) {
    for (const group of this.groups) group.lr = lr;
  }

  /** Factor on all gradients from the next step on, e.g. 1/K after K micro-batches. */
  get gradScale(): number {
    return this.#gradScale;
  }

  /** @throws OptimizerError `invalid-option` unless a finite number > 0. */
  set gradScale(gradScale: number) {
    this.#gradScale = checkGradScale(gradScale);
  }

  /**
   * One float32, for the caller's backward pass to multiply its loss with: the loss scale, which a dynamic one
   * changes on the GPU. Usage STORAGE, UNIFORM and COPY_SRC. It belongs to the optimizer.
   */
  get lossScaleBuffer(): GPUBuffer {
    return this.#roster.runner.lossScaleBuffer;
  }

  /**
   * Makes one step: encodes and submits it. Returns before the GPU is done, and never waits.
   *
   * @throws OptimizerError if destroyed, if the device is lost, or if a schedule returns nonsense; the step is
   *   not made then.
   */
  step(): void {
    this.#guard.checkTraining('step');
    const inputs = this.#log.next(this.groups, this.#gradScale);
    const encoder = this.#device.createCommandEncoder({ label: `${this.#roster.config.label} step` });
    this.#encode(encoder, inputs);
    this.#device.queue.submit([encoder.finish()]);
    this.reportStep();
  }

  /** @internal Calls `onStep` with the stats behind what is submitted now; for who submits what it encodes. */
  reportStep(): void {
    // A callback that would have to wait for an earlier one is left out, not queued without end.
    const { config, runner } = this.#roster;
    if (config.onStep && runner.stats?.isBusy !== true)
      void reportStep(config.onStep, () => this.stats(), this.#guard);
  }

  /**
   * Encodes one step into the caller's encoder, as a compute pass of its own, with the learning rates and the
   * `gradScale` in force now. It may be called any number of times on one encoder. Of encoders that are not
   * submitted yet, all together may hold 1024 steps; a single one may hold any number.
   *
   * @param skipped names of parameters that this step leaves as they are, weights, state and averages. They must be no
   *   neighbours of others in their buffers. Their gradients count in the norm all the same: let them be zeros.
   * @throws OptimizerError as {@link step}, and `invalid-parameter` for `skipped` if the rule's state for a whole tensor
   *   would change (novograd).
   */
  encode(encoder: GPUCommandEncoder, skipped?: ReadonlySet<string>): void {
    this.#guard.checkTraining('encode');
    checkEncoder(encoder, 'encode');
    if (skipped) rejectUnskippable(this.groups, skipped);
    this.#encode(encoder, this.#log.next(this.groups, this.#gradScale), encoder, skipped);
  }

  /**
   * Lets parameters lie in other buffers from the next step on, e.g. where a framework makes a new gradient buffer each
   * time. Bind groups are kept while their buffers live, 64 per dispatch on average, so buffers that come again cost no
   * new object; of small tensors that share a dispatch, if they come again together. The state stays. A buffer that the device rejects (foreign, destroyed) shows as a device error at the step.
   *
   * @param changes per parameter name, its new `data`, `grad` or both, of the same lengths.
   * @throws OptimizerError `invalid-parameter` if they do not fit; nothing changes then.
   */
  rebind(changes: Readonly<Record<string, BufferChange>>): void {
    this.#guard.checkTraining('rebind');
    this.#roster.rebind(changes);
  }

  /**
   * Sets all gradients to zero, of sparse ones the values: in the caller's encoder, or submitted at once without one.
   *
   * @throws OptimizerError `invalid-parameter` if a gradient buffer lacks COPY_DST, or if destroyed.
   */
  zeroGrad(encoder?: GPUCommandEncoder): void {
    this.#guard.check('zeroGrad');
    this.#submit(encoder, 'zeroGrad', (commands) => this.#roster.table.clearGradients(commands));
  }

  /**
   * Adds the gradients of a micro-batch, the parameters' `microGrad`, to `grad`: in the caller's encoder, or
   * submitted at once without one. Begin each round with `zeroGrad`, and set `gradScale` to 1/K for a mean over K.
   *
   * @throws OptimizerError `invalid-config` if no parameter has a `microGrad`, or if destroyed.
   */
  accumulate(encoder?: GPUCommandEncoder): void {
    this.#guard.check('accumulate');
    const { accumulator } = this.#roster.runner;
    if (!accumulator) {
      throw new OptimizerError(
        'invalid-config',
        'accumulate(): no parameter has a microGrad; give it one at creation.',
      );
    }
    this.#submit(encoder, 'accumulate', (commands) => accumulator.encode(commands));
  }

  /**
   * What became of the steps submitted so far. It reads 32 bytes through a ring of mapped buffers and holds up
   * nothing; without clipping, skipping or a dynamic loss scale the host knows the answer itself.
   */
  async stats(): Promise<StepStats> {
    this.#guard.check('stats');
    const { config, runner } = this.#roster;
    return this.#log.stats(runner.stats, config.gradients.lossScale);
  }

  /**
   * Reads a parameter's weights as they are after the steps made so far.
   *
   * @throws OptimizerError if the name is unknown, the buffer lacks COPY_SRC, or the optimizer is destroyed.
   */
  async readParam(name: string): Promise<Float32Array<ArrayBuffer>> {
    this.#guard.check('readParam');
    return this.#roster.table.readParam(name);
  }

  /**
   * Reads a slot of a parameter's optimizer state, e.g. `readState('w', 'exp_avg')`. `'step'` is one number: the
   * steps applied.
   *
   * @throws OptimizerError if the name is unknown, the rule's options use no such slot, or the optimizer is
   *   destroyed.
   */
  async readState(name: string, slot: string): Promise<Float32Array<ArrayBuffer>> {
    this.#guard.check('readState');
    if (slot === 'step') return Float32Array.of((await this.stats()).step);
    return this.#roster.table.readState(name, slot);
  }

  /**
   * Reads the exponential moving average of a parameter.
   *
   * @throws OptimizerError as {@link readState}, and if the config has no `ema`.
   */
  async readEma(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.readState(name, 'ema');
  }

  /**
   * Exchanges all weights with their exponential moving averages, on the GPU: once to evaluate, and again to train
   * on.
   *
   * @throws OptimizerError if the config has no `ema`, or a weight's buffer lacks COPY_SRC or COPY_DST.
   */
  swapEma(): void {
    this.#guard.check('swapEma');
    this.#roster.table.exchangeWithState('ema');
  }

  /**
   * Puts the weights to evaluate with in place of those that train, on the GPU; for the `scheduleFree` rules, which have
   * both. In the caller's encoder, or submitted at once without one. Again is no error and does nothing. Weights are
   * rounded on each way, so that they come back within a unit in the last place or so.
   *
   * @throws OptimizerError `invalid-config` if the rule evaluates with the weights that train, or if destroyed.
   */
  eval(encoder?: GPUCommandEncoder): void {
    exchangeWeights(this.#device, this.#roster, this.#guard, true, 'eval', encoder);
  }

  /**
   * Puts the weights that train back after {@link eval}; needed before the next step.
   *
   * @throws OptimizerError as {@link eval}.
   */
  train(encoder?: GPUCommandEncoder): void {
    exchangeWeights(this.#device, this.#roster, this.#guard, false, 'train', encoder);
  }

  /** Everything that a resumed run needs beside the parameters, as plain data; see {@link StateDict}. */
  async stateDict(): Promise<StateDict> {
    this.#guard.checkTraining('stateDict');
    return saveState(this.#roster, this.#log);
  }

  /**
   * Restores the step count, the state and the groups' options from {@link stateDict}. A live schedule stays and
   * follows the restored step.
   *
   * @throws OptimizerError `invalid-state-dict` if the dict is of another rule, other names, shapes or switches;
   *   nothing changes then.
   */
  async loadStateDict(dict: StateDict): Promise<void> {
    this.loadStateDictSync(dict);
  }

  /** As {@link loadStateDict}; none of it takes waiting. */
  loadStateDictSync(dict: StateDict): void {
    this.#guard.checkTraining('loadStateDict');
    restoreState(dict, this.#roster, this.#log);
  }

  /** Frees the optimizer state. The parameters and the device stay the caller's. May be called twice. */
  destroy(): void {
    if (this.#guard.destroy()) this.#roster.runner.destroy();
  }

  /** Encodes into the caller's encoder, or into one of its own that is submitted. */
  #submit(
    encoder: GPUCommandEncoder | undefined,
    what: string,
    encode: (commands: GPUCommandEncoder) => void,
  ): void {
    encodeOrSubmit(this.#device, encoder, this.#roster.config.label, what, encode);
  }

  #encode(
    encoder: GPUCommandEncoder,
    inputs: StepInputs,
    pendingIn?: GPUCommandEncoder,
    skipped?: ReadonlySet<string>,
  ): void {
    this.#roster.runner.encode(encoder, inputs, pendingIn, skipped);
    this.#log.add(inputs);
  }
}
