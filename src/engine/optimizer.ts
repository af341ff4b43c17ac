import { OptimizerError } from '../errors.js';
import {
  type PassTarget,
  callersPass,
  checkEncoder,
  encodeOrSubmit,
  isComputePass,
  passIn,
} from '../gpu/commands.js';
import { checkDevice, noticeLostDevice } from '../gpu/device.js';
import { compileAll } from '../gpu/pipelines.js';
import { Reader } from '../gpu/copies/readback.js';
import { MOST_STEPS } from '../kernel/row.js';
import type { LearningRate } from '../rules/options/options.js';
import type { Rule } from '../rules/rule.js';
import { Editing } from './calls/state/editing.js';
import { Evaluating } from './calls/evaluating.js';
import { Gradients } from './calls/gradients.js';
import type { RunTensor } from './run/group-part.js';
import type { AddedGroupConfig } from './input/added-group.js';
import { type OptimizerConfig, type StateName, resolveConfig } from './input/config.js';
import { checkGradScale } from './input/options/gradient-options.js';
import { checkKernelLimits } from './input/options/kernel-options.js';
import type { RowMapping } from './input/map-input.js';
import { type StepOptions, resolveStep } from './input/names.js';
import { type BufferChange, resolveChanges } from './input/rebind-input.js';
import { rejectSharedWords } from './input/options/state-options.js';
import { checkTimestampWrites, ownTimestampWrites } from './input/timestamp-writes.js';
import { Joining } from './calls/joining.js';
import { Life } from './calls/life.js';
import { Mapping } from './calls/mapping.js';
import { type ParameterNorms, Norms } from './calls/norms.js';
import type { ParameterGroup } from './parameter-group.js';
import { type MemoryUse, NO_MEMORY, Reading } from './calls/state/reading.js';
import { loadChecked } from './calls/state/restoring.js';
import type { ResetOptions } from './calls/state/state-input.js';
import type { Run } from './run/run.js';
import type { SafetensorsSource } from '../safetensors/source.js';
import { noteInsides } from './insides.js';
import { checkLoadOptions } from './saved/check-state-dict.js';
import { asFloats } from './saved/check-values.js';
import type { LoadOptions, LoadedNames, StateDict } from './saved/state-dict.js';
import { type Insides, Session } from './session.js';
import { type StepStats, reportStep } from './stats.js';
import type { StepInputs } from './run/step-slot.js';

/** Calls of `onStep` that may be due at once. */
const MOST_REPORTS = 4;

/**
 * Updates parameters in place on the GPU, in one fused pass per step. It adopts the device and the
 * parameters' buffers and never destroys them; it owns the optimizer state.
 *
 * Calls need not be awaited one by one: each sees the run as it was when it was called. What it is given is read at the
 * call.
 *
 * @typeParam R the rule, as the config gives it.
 * @example
 * const optimizer = await Optimizer.create(device, {
 *   rule: adam({ lr: 1e-3 }),
 *   params: [{ name: 'w', data: weights, grad: gradients }],
 * });
 * optimizer.step();
 */
export class Optimizer<R extends Rule = Rule> {
  readonly #session: Session;
  readonly #run: Run;
  readonly #joining: Joining;
  readonly #evaluating: Evaluating;
  readonly #life: Life;
  readonly #mapping: Mapping;
  readonly #editing: Editing;
  readonly #gradients: Gradients;
  readonly #insides: Insides;
  readonly #reader: Reader;
  readonly #reading: Reading;
  readonly #norms: Norms;
  #gradScale: number;
  // Calls of `onStep` that are due.
  #reportCount = 0;

  private constructor(session: Session, run: Run) {
    const { device, config, log } = session;
    this.#session = session;
    this.#run = run;
    this.#joining = new Joining(session, run);
    this.#evaluating = new Evaluating(session, run);
    this.#life = new Life(session, run);
    this.#editing = new Editing(session, run);
    this.#gradients = new Gradients(run, session.watch);
    this.#reader = new Reader(device, config.label);
    this.#mapping = new Mapping(session, run);
    this.#reading = new Reading(run, this.#reader, log, this.#mapping);
    this.#norms = new Norms(run, this.#reader);
    this.#gradScale = config.gradients.gradScale;
    this.#insides = { session, run, reader: this.#reader };
    noteInsides(this, this.#insides);
    for (const part of run.parts) session.adopt(part.tensors);
  }

  /**
   * Checks the config, compiles the kernels and allocates the state. Nothing of it is left if it fails.
   *
   * @param device the device that the parameters' buffers belong to.
   * @param config the rule and the parameters; see {@link OptimizerConfig}.
   * @throws OptimizerError on any bad input (unknown options, unusable or overlapping buffers, limits exceeded),
   *   a lost device, or when the device is out of memory.
   */
  static async create<R extends Rule>(device: GPUDevice, config: OptimizerConfig<R>): Promise<Optimizer<R>> {
    const session = Optimizer.#open(device, config, 'create()');
    const plan = session.plan();
    await noticeLostDevice(device);
    await compileAll(device, plan.sources);
    const { value: run, checked } = plan.assemble();
    try {
      await checked;
    } catch (error) {
      run.destroy();
      throw error;
    }
    return new Optimizer<R>(session, run);
  }

  /**
   * As {@link Optimizer.create}, for callers that cannot wait, as a framework's step: kernels that are not compiled yet
   * are compiled while the caller waits. What the device turns out to reject (out of memory, buffers of another device) is
   * thrown by the next call after it is known; steps until then have no effect.
   *
   * @throws OptimizerError as {@link Optimizer.create} does for what needs no waiting.
   */
  static createSync<R extends Rule>(device: GPUDevice, config: OptimizerConfig<R>): Optimizer<R> {
    const session = Optimizer.#open(device, config, 'createSync()');
    const { value: run, checked } = session.plan().assemble();
    session.guard.failWith(checked);
    return new Optimizer<R>(session, run);
  }

  /**
   * Makes an optimizer that goes on where a checkpoint was saved, as when a device was lost: {@link create}, then `loadCheckpoint` of its
   * state and, if the file has them, weights. Nothing of it is left if it fails.
   *
   * @param device a new device.
   * @param config as that of the run that was saved, with buffers of the new device.
   * @param checkpoint what `saveCheckpoint` wrote.
   * @throws OptimizerError as {@link create} and `loadCheckpoint`.
   */
  static async restore<R extends Rule>(
    device: GPUDevice,
    config: OptimizerConfig<R>,
    checkpoint: SafetensorsSource,
  ): Promise<Optimizer<R>> {
    const optimizer = await Optimizer.create(device, config);
    try {
      // Who never restores does not load it.
      const { loadInto } = await import('../checkpoint/load.js');
      await loadInto(optimizer.#insides, checkpoint);
      return optimizer;
    } catch (error) {
      optimizer.destroy();
      throw error;
    }
  }

  static #open(device: GPUDevice, config: unknown, call: string): Session {
    checkDevice(device);
    const resolved = resolveConfig(config);
    checkKernelLimits(device, resolved.kernel);
    const session = new Session(device, resolved);
    session.rejectDestroyedArenas(
      resolved.groups.flatMap(({ parameters }) => parameters),
      call,
    );
    return session;
  }

  /** The parameter groups; one if the config gave `params`. */
  get groups(): readonly ParameterGroup<R>[] {
    return this.#session.groups;
  }

  /**
   * Adds a group of parameters, as PyTorch's `add_param_group`; its state starts fresh,
   * and its bias corrections and averages count from here; schedules follow the optimizer's step.
   *
   * A parameter that is there already moves to the group, out of the one that it is in, with its weights, state, averages and count of
   * steps; one that is frozen stays so. Give its name alone, or the parameter as it is. A group that loses all its parameters is
   * gone. Until the promise resolves, it is stepped in the group where it was; what is encoded till then, evaluation too, must be submitted
   * before that, as before {@link remove}. A name cannot be given to two groups that are both about to join; if a parameter that is
   * about to move is removed, its whole group is refused. With a rule of matrices, a group is of these or of others, not of both.
   *
   * @returns the group, once it takes part in the steps.
   * @throws OptimizerError as {@link Optimizer.create}, and `invalid-config` after {@link eval}; the optimizer is as it
   *   was then.
   * @example await optimizer.addGroup({ params: ['head.weight', { name: 'new', data, grad }], lr: 1e-4 })
   */
  async addGroup(group: AddedGroupConfig<R>): Promise<ParameterGroup<R>> {
    this.#session.guard.checkTraining('addGroup()');
    return this.#settle('addGroup()', this.#joining.add(group));
  }

  /**
   * As {@link Optimizer.addGroup}, at once, under the conditions of {@link Optimizer.createSync}.
   *
   * @throws OptimizerError as {@link Optimizer.createSync}, and `invalid-config` after {@link eval} or while `addGroup` is
   *   under way.
   */
  addGroupSync(group: AddedGroupConfig<R>): ParameterGroup<R> {
    this.#session.guard.checkTraining('addGroupSync()');
    return this.#joining.addSync(group);
  }

  /**
   * Lets parameters rest from the next step on, until {@link unfreeze}: weights, state, averages and count of steps stay bit for bit,
   * gradients count neither in the norm nor in the search for NaN, and a step costs nothing for them. As a parameter with
   * `requires_grad = False` in PyTorch; as there, a state dict does not say who is frozen, and loading one freezes and thaws nobody.
   * Those that rest already go on resting. While all are frozen, {@link step} is refused.
   *
   * @param names any iterable of names.
   * @throws OptimizerError `invalid-parameter` for an unknown name, `invalid-config` after {@link eval}; nothing changes then.
   */
  freeze(names: Iterable<string>): void {
    this.#life.setFrozen(names, true, 'freeze()');
  }

  /**
   * Lets parameters go on that {@link freeze} stopped, with the state and the count of steps that they have.
   *
   * @throws OptimizerError as {@link freeze}.
   */
  unfreeze(names: Iterable<string>): void {
    this.#life.setFrozen(names, false, 'unfreeze()');
  }

  /**
   * Lets go of parameters, with their state, from the next step on; a group that is left without any is gone. Their names and bytes
   * may be given again. Steps that are encoded and not submitted yet still change them, and what these do to the state of others in
   * their groups is lost: submit first.
   *
   * @param names any iterable of names.
   * @throws OptimizerError as {@link freeze}, and `invalid-config` if none would be left; nothing changes then.
   */
  remove(names: Iterable<string>): void {
    this.#life.remove(names, 'remove()');
  }

  /**
   * As {@link remove}, of all parameters of a group.
   *
   * @throws OptimizerError `invalid-config` if it is none of {@link groups}, or the only one.
   */
  removeGroup(group: ParameterGroup<R>): void {
    this.#life.removeGroup(group, 'removeGroup()');
  }

  /**
   * Moves rows of parameters, and all that belongs to them, on the GPU: row i of each becomes what row `from[i]` was, weights, every
   * slot of the state and averages alike. So rows are added, taken out and put in another order: Gaussian splats, vocabularies. Counts
   * of steps go on, gradients are not touched. It is submitted at the call: steps that are made next see it.
   *
   * A fresh row has state as at the start, and the weights that lie there. Weights stay in the range that was given for them last,
   * where that has room (see `length`), or go where `data` says; the state has room for as many rows as that range. Within
   * it nothing is made but a buffer that rows go by way of (64 MiB, or 16 columns, at most; state in bf16: a copy of each slot), and where no
   * row changes its place, no float32 is moved. Steps that are encoded and not submitted yet are to be submitted first.
   *
   * @param names of parameters with a `rowLength`, all of as many rows.
   * @param mapping see {@link RowMapping}.
   * @returns once the device is known to have made room for it.
   * @throws OptimizerError `invalid-parameter` for unknown names, entries that name no row, lengths that do not fit, or too little
   *   room; `invalid-config` after {@link eval}; nothing changes then. `out-of-memory`, or `invalid-parameter` for buffers that the
   *   device rejects: it is as if it had not been called, unless calls came after it; these had no effect, and the optimizer is over.
   * @example
   * // Row 2 is pruned, row 0 is split in two.
   * await optimizer.mapRows(['means', 'colors'], { from: Uint32Array.of(0, 1, 3, 0), rowCount: 4 });
   */
  async mapRows(names: Iterable<string>, mapping: RowMapping): Promise<void> {
    return this.#settle('mapRows()', this.#mapping.map(names, mapping));
  }

  /** The rule's name, e.g. `'adam'`. */
  get rule(): string {
    return this.#session.config.rule.name;
  }

  /** The learning rate of the next step; with several groups, that of the first. */
  get lr(): number {
    return this.groups[0]!.lr;
  }

  /**
   * Sets the learning rate, or a schedule, of all groups from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN, infinite or more than float32 can hold, `destroyed`; nothing
   *   changes then.
   */
  set lr(lr: LearningRate) {
    this.#session.guard.check('lr =');
    const rules = this.groups.map((group) => group.withLr(lr));
    this.groups.forEach((group, g) => group.replaceRule(rules[g]!));
  }

  /** Factor on all gradients from the next step on, e.g. 1/K after K micro-batches. */
  get gradScale(): number {
    return this.#gradScale;
  }

  /** @throws OptimizerError `invalid-option` unless a finite number > 0, `destroyed`. */
  set gradScale(gradScale: number) {
    this.#session.guard.check('gradScale =');
    this.#gradScale = checkGradScale(gradScale, this.#session.config.gradients.lossScale);
  }

  /**
   * One float32, for the caller's backward pass to multiply its loss with: the loss scale, which a dynamic one
   * changes on the GPU. Usage STORAGE, UNIFORM and COPY_SRC. It belongs to the optimizer.
   */
  get lossScaleBuffer(): GPUBuffer {
    return this.#run.lossScaleBuffer;
  }

  /**
   * Bytes on the GPU that the state is made of: of each slot in use 4 per element, 2 by `stateDtype: 'bf16'`, 68 or 36
   * for 64 of a parameter by `'int8'` or `'int4'`, or 4 per parameter. Averages, and what `masterWeights` keeps, are among them.
   * What the optimizer needs beside it, and what lies idle, between tensors or as room for rows to come, is not. 0 once the optimizer is
   * destroyed or its device lost.
   */
  get stateByteLength(): number {
    const { state, averages, masterWeights } = this.memory();
    return state + averages + masterWeights;
  }

  /**
   * Bytes on the GPU that weights, gradients, state, averages and master weights are made of, by what is kept of each element. As for
   * {@link stateByteLength}, what lies idle, and what the optimizer needs beside them, is not among them; all are 0 once it is destroyed
   * or its device lost.
   */
  memory(): MemoryUse {
    return this.#session.guard.isOver ? { ...NO_MEMORY } : this.#reading.memory();
  }

  /**
   * Makes one step: encodes and submits it. Returns before the GPU is done, and never waits. If a parameter's buffer was
   * destroyed meanwhile, the device rejects the whole submit, which shows as its error; the host counts the step all the
   * same.
   *
   * @param options `skip`: names of parameters that this step leaves as they are; `timestampWrites`: where the times of its
   *   compute pass are written to; see {@link StepOptions}.
   * @throws OptimizerError if destroyed, if the device is lost, if a name is unknown, if a schedule returns nonsense, if the
   *   device has no time stamps, or if a parameter has made as many steps as there are, 2³² − 1; the step is not made then.
   */
  step(options?: StepOptions): void {
    this.#session.guard.checkTraining('step()');
    const { device, config, names } = this.#session;
    const { skipped, timestampWrites } = resolveStep(options, names, 'step()');
    const writes = checkTimestampWrites(timestampWrites, device, 'step()');
    const inputs = this.#nextInputs('step()');
    const encoder = device.createCommandEncoder({ label: `${config.label} step` });
    this.#encode(passIn(encoder, writes), inputs, undefined, skipped);
    device.queue.submit([encoder.finish()]);
    this.reportStep();
  }

  /** @internal Calls `onStep` with the stats behind what is submitted now; for who submits what it encodes. */
  reportStep(): void {
    const { config, guard } = this.#session;
    // Under load some are left out, not queued without end.
    if (!config.onStep || this.#reportCount >= MOST_REPORTS) return;
    this.#reportCount++;
    void reportStep(config.onStep, this.stats(), guard, () => this.#reportCount--);
  }

  /**
   * Encodes one step, with the learning rates and the `gradScale` in force now: into the caller's encoder as a compute pass of
   * its own, or into a compute pass of the caller's. That one is not ended; pipeline and bind groups 0 and 1 are not what
   * they were. It may be called any number of times on one encoder or pass. Of those that are not submitted yet, all together
   * may hold 1024 steps; a single one may hold any number, where each pass counts as one by itself.
   *
   * Steps count as they are encoded, those of encoders that are dropped included; where the GPU decides about them (clipping,
   * skipping, a dynamic loss scale) as they are submitted. There, a step is to be submitted before any that was encoded
   * later and leaves parameters out, and before `loadStateDict`: its tensors have one count.
   *
   * @param target a command encoder, or a compute pass that was begun and not ended.
   * @param options as for {@link step}; no `timestampWrites` for a pass, whose own they would be.
   * @throws OptimizerError as {@link step}.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, options?: StepOptions): void {
    this.#session.guard.checkTraining('encode()');
    const { device, names } = this.#session;
    const isPass = isComputePass(target);
    if (!isPass) checkEncoder(target, 'encode()', 'device.createCommandEncoder(), or a compute pass of one');
    const { skipped, timestampWrites } = resolveStep(options, names, 'encode()');
    if (isPass && timestampWrites !== undefined) throw ownTimestampWrites();
    const writes = checkTimestampWrites(timestampWrites, device, 'encode()');
    const passes = isPass ? callersPass(target) : passIn(target, writes);
    this.#encode(passes, this.#nextInputs('encode()'), target, skipped);
  }

  /**
   * Lets parameters lie in other buffers from the next step on, e.g. where a framework makes a new gradient buffer each
   * time. It costs what is changed. Bind groups are kept while their buffers live, 64 per dispatch on average, so buffers
   * that come again cost no new object; of small tensors that share a dispatch, if they come again together. The state
   * stays. A buffer that the device rejects (foreign, destroyed) shows as a device error at the step.
   *
   * @param changes per parameter name, its new `data`, `grad` or both, of the same lengths.
   * @throws OptimizerError `invalid-parameter` if they do not fit, `destroyed` if they are of an arena that is; nothing changes then.
   */
  rebind(changes: Readonly<Record<string, BufferChange>>): void {
    const session = this.#session;
    const { guard, names, occupancy } = session;
    guard.check('rebind()');
    guard.rejectHeld('rebind()');
    const replacements = resolveChanges(changes, names);
    if (replacements.length === 0) return;
    const parameters = replacements.map(({ parameter }) => parameter);
    const isInArena = session.rejectDestroyedArenas(parameters, 'rebind()');
    for (const { entry, parameter } of replacements) rejectSharedWords(entry.part.group.rule, parameter);
    const undoClaim = occupancy.claim(parameters);
    try {
      this.#run.rebind(replacements);
    } catch (error) {
      undoClaim();
      throw error;
    }
    // It looks at all parameters.
    if (isInArena || guard.arenas.length > 0) session.refreshArenas();
  }

  /**
   * Sets all gradients to zero, of sparse ones the values, and nothing between rows that lie apart: in the caller's encoder, or submitted at once without one.
   *
   * @throws OptimizerError `invalid-parameter` if a gradient buffer lacks COPY_DST, or if destroyed.
   */
  zeroGrad(encoder?: GPUCommandEncoder): void {
    this.#session.guard.check('zeroGrad()');
    this.#submit(encoder, 'zeroGrad()', (commands) => this.#gradients.clear(commands, encoder !== undefined));
  }

  /**
   * Adds the gradients of a micro-batch, the parameters' `microGrad`, to `grad`: in the caller's encoder, or
   * submitted at once without one. Begin each round with `zeroGrad`, and set `gradScale` to 1/K for a mean over K.
   *
   * @throws OptimizerError `invalid-config` if no parameter has a `microGrad`, or if destroyed.
   */
  accumulate(encoder?: GPUCommandEncoder): void {
    this.#session.guard.check('accumulate()');
    if (!this.#gradients.areAccumulated) {
      throw new OptimizerError(
        'invalid-config',
        'accumulate(): no parameter has a microGrad; give it one at creation.',
      );
    }
    this.#submit(encoder, 'accumulate()', (commands) =>
      this.#gradients.accumulate(commands, encoder !== undefined),
    );
  }

  /**
   * What became of the steps submitted so far. It reads 32 bytes through mapped buffers that are kept, and holds up
   * nothing; without clipping, skipping or a dynamic loss scale the host knows the answer itself.
   */
  async stats(): Promise<StepStats> {
    this.#session.guard.check('stats()');
    return this.#settle('stats()', this.#reading.stats());
  }

  /**
   * Measures all parameters: the L2 norms of weights and of unscaled gradients as they are after all that is submitted so far, whatever
   * is called next. Frozen and skipped ones are among them, and clipping changes nothing here. It waits for nothing and holds up
   * no step: one pass over weights and gradients, hundreds of tensors to a dispatch, and 16 bytes to be read of each norm. Its
   * first call compiles its kernels. Equal input gives equal numbers.
   *
   * @returns by name, `{ param, grad }`; NaN or Infinity if an element is. Of a sparse gradient, the norm of its rows' sums; rows
   *   that a `rowMask` leaves alone do not count.
   * @throws OptimizerError if destroyed, if the device is lost or has no room, or if it rejects a buffer; the run goes on.
   */
  async norms(): Promise<Record<string, ParameterNorms>> {
    this.#session.guard.check('norms()');
    return this.#settle('norms()', this.#norms.read(this.#gradScale));
  }

  /**
   * Reads a parameter's weights as they are after the steps made so far.
   *
   * @throws OptimizerError if the name is unknown, the buffer lacks COPY_SRC, or the optimizer is destroyed.
   */
  async readParam(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.#settle('readParam()', this.#reading.param(this.#find(name, 'readParam()')));
  }

  /**
   * Reads a slot of a parameter's optimizer state, e.g. `readState('w', 'exp_avg')`. `'step'` is one number: the
   * steps applied to the parameter.
   *
   * @throws OptimizerError if the name is unknown, the rule's options use no such slot, or the optimizer is
   *   destroyed.
   */
  async readState(name: string, slot: StateName<R>): Promise<Float32Array<ArrayBuffer>> {
    return this.#settle('readState()', this.#reading.state(this.#find(name, 'readState()'), slot));
  }

  /**
   * Writes a slot of a parameter's optimizer state, as {@link readState} reads it; it takes effect between the steps called
   * before and those called behind it. NaN and infinities are taken, as PyTorch's state takes them.
   *
   * `'step'` is a list of one integer, the steps applied to the parameter, from which its bias corrections follow; the other
   * parameters keep theirs. If it is more than the steps that were asked for, the optimizer's own count, and with it
   * schedules, goes on from there.
   *
   * Steps that were encoded and not submitted yet see it as those of {@link loadStateDict} do.
   *
   * @param values as many numbers as the slot has: one per element, or one in all. They are copied.
   * What `masterWeights` keeps is written here, too; it counts where it fits what lies in the buffer of the weights.
   *
   * @throws OptimizerError `invalid-parameter` if the name or the slot is unknown, there are more or fewer numbers, one of
   *   them is finite and float32 cannot hold it, or below 0 in state that is never so and kept in fewer bits, or the step is no count; `invalid-config` after {@link eval}. Nothing
   *   changes then.
   */
  writeState(name: string, slot: StateName<R>, values: Float32Array | readonly number[]): void {
    this.#editing.write(name, slot, values);
  }

  /**
   * Takes state back to what it was at the start: each slot to its initial value, and the parameters' own counts of steps
   * to 0, so that bias corrections and averages begin again. Weights stay, and so do the optimizer's own count and schedules; of weights of
   * 2 bytes with `masterWeights`, what lies in their buffers stays.
   *
   * With `slots`, only these; the count is the slot `'step'`. An average that is reset without the count begins from the
   * weights in place. With `rows`, of the named parameters only these rows, and no count.
   *
   * @param options `{ names?, slots?, rows? }`; default all. See {@link ResetOptions}.
   * @throws OptimizerError `invalid-parameter` if a name, a slot or a row is unknown, or a parameter without `rowLength` is
   *   to have rows; `invalid-config` for options of another form, and after {@link eval}. Nothing changes then.
   */
  resetState(options?: ResetOptions): void {
    this.#editing.reset(options);
  }

  /**
   * Copies all state of a parameter to another one, on the GPU: every slot, averages among them, and the count of steps.
   * Weights stay, and so does what `masterWeights` keeps of them.
   *
   * @throws OptimizerError `invalid-parameter` if a name is unknown, both are one, or they differ in size or slots;
   *   `invalid-config` after {@link eval}. Nothing changes then.
   */
  copyState(from: string, to: string): void {
    this.#editing.copy(from, to);
  }

  /**
   * Reads the exponential moving average of a parameter.
   *
   * @throws OptimizerError as {@link readState}, and if the config has no `ema`.
   */
  async readEma(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.#settle('readEma()', this.#reading.state(this.#find(name, 'readEma()'), 'ema'));
  }

  /**
   * {@link eval} or {@link train} with the exponential moving average, whichever is due: all weights change places with
   * their averages, on the GPU, once to evaluate and again to train on.
   *
   * @throws OptimizerError `invalid-config` if the config has no `ema`, or other weights are in place.
   */
  swapEma(): void {
    this.#evaluating.swapEma();
  }

  /**
   * Puts the weights to evaluate with in place of those that train, on the GPU: the rule's own, if it is a `scheduleFree`
   * one, else the moving average (`ema`), else the stochastic average (`swa`). Of weights of 2 bytes with `masterWeights`, the exact ones
   * change places with it. In the caller's encoder, or submitted at
   * once without one; one that is never submitted changes nothing. Again is no error and changes nothing. Averages come back
   * bit for bit (with `masterWeights: 'split'` as exactly as weights are kept); of the `scheduleFree` rules weights are rounded on each way, so that they come back within a unit in the
   * last place or so.
   *
   * @throws OptimizerError `invalid-config` if there are no other weights to evaluate with, or if destroyed.
   */
  eval(encoder?: GPUCommandEncoder): void {
    this.#evaluating.evaluate(encoder);
  }

  /**
   * Puts the weights that train back after {@link eval}; needed before the next step.
   *
   * @throws OptimizerError as {@link eval}.
   */
  train(encoder?: GPUCommandEncoder): void {
    this.#evaluating.train(encoder);
  }

  /** Everything that a resumed run needs beside the parameters, as plain data; see {@link StateDict}. */
  async stateDict(): Promise<StateDict> {
    this.#session.guard.checkTraining('stateDict()');
    return this.#settle('stateDict()', this.#reading.stateDict());
  }

  /**
   * Restores the step count, the state and the groups' options from {@link stateDict}. A live schedule stays and
   * follows the restored step.
   *
   * With `{ strict: false }` state is matched by the parameters' names, however the dict groups and orders them. Parameters
   * that the dict lacks keep state and count; what it has of others is ignored. Averages that it lacks begin from the
   * weights in place, so load these first; those that there are none of here are ignored. So it is with what `masterWeights` keeps:
   * where the dict lacks it, weights are what lies in their buffers. A group takes over the options of
   * the dict's group that its parameters come from, if that is one, and else keeps its own.
   *
   * @returns which parameters were loaded, which the dict does not have, and which of the dict's are not here.
   * @throws OptimizerError `invalid-state-dict` if the dict is of another rule, other names, shapes or switches (of other
   *   shapes and switches without `strict`, too); nothing changes then.
   */
  async loadStateDict(dict: StateDict, options?: LoadOptions): Promise<LoadedNames> {
    return this.loadStateDictSync(dict, options);
  }

  /** As {@link loadStateDict}; none of it takes waiting. */
  loadStateDictSync(dict: StateDict, options?: LoadOptions): LoadedNames {
    this.#session.guard.checkTraining('loadStateDict()');
    const isStrict = checkLoadOptions(options, 'loadStateDict()');
    const { device } = this.#session;
    return loadChecked(this.#run, this.#session, dict, isStrict, asFloats, {
      write: (tensor, slot, floats) => tensor.part.writeState(device, slot, tensor.index, floats),
    });
  }

  /** Frees the optimizer state. The parameters and the device stay the caller's. May be called twice. */
  destroy(): void {
    if (!this.#session.guard.destroy()) return;
    this.#run.destroy();
    this.#evaluating.destroy();
    this.#gradients.destroy();
    this.#mapping.destroy();
    this.#norms.destroy();
    this.#reader.destroy();
  }

  #find(name: string, call: string): RunTensor {
    this.#session.guard.check(call);
    return this.#session.names.find(name, call);
  }

  /** A promise that a call gives out: whatever ends the optimizer meanwhile rejects it with one clear error. */
  #settle<T>(call: string, pending: Promise<T>): Promise<T> {
    return this.#session.guard.settle(call, pending);
  }

  #nextInputs(call: string): StepInputs {
    const { guard, log } = this.#session;
    if (this.#run.isFrozen) {
      throw new OptimizerError(
        'invalid-config',
        `${call}: all parameters are frozen; unfreeze() some of them first.`,
      );
    }
    if (this.#run.isSpent) {
      throw new OptimizerError(
        'limit-exceeded',
        `${call}: a parameter has made ${MOST_STEPS} steps, the most there are; resetState() or load a state dict of fewer.`,
      );
    }
    return guard.whileAsking(call, () => log.next(this.#run.parts, this.#gradScale));
  }

  /** Encodes into the caller's encoder, or into one of its own that is submitted. */
  #submit(
    encoder: GPUCommandEncoder | undefined,
    call: string,
    encode: (commands: GPUCommandEncoder) => void,
  ): void {
    const { device, config } = this.#session;
    encodeOrSubmit(device, encoder, `${config.label} ${call}`, call, encode);
  }

  #encode(
    target: PassTarget,
    inputs: StepInputs,
    pendingIn: GPUCommandEncoder | GPUComputePassEncoder | undefined,
    skipped: ReadonlySet<RunTensor> | undefined,
  ): void {
    this.#run.encode(target, inputs, pendingIn, skipped);
    this.#session.log.add(inputs);
  }
}
