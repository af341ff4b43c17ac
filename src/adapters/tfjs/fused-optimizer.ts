import {
  Optimizer as TfjsOptimizer,
  type Scalar,
  type Tensor,
  type Variable,
  serialization,
  variableGrads,
} from '@tensorflow/tfjs-core';
import type { Optimizer } from '../../engine/optimizer.js';
import { checkGradScale } from '../../engine/input/options/gradient-options.js';
import type { StepStats } from '../../engine/stats.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { type LearningRate, evaluateLearningRate } from '../../rules/options/options.js';
import { type Rule, overrideRule } from '../../rules/rule.js';
import { isOnWebgpu } from './backend.js';
import type { ExportedTensors, NamedTensor } from './exported-tensors.js';
import {
  type FusedOptimizerOptions,
  type ResolvedOptions,
  fromConfig,
  resolveOptions,
  toConfig,
} from './options.js';
import { NO_STATE, type SavedState, fromTensors, toTensors } from './saved-state.js';
import { fromTrain, toTrain } from './train-state.js';
import { scaledGradients } from './scaled-gradients.js';
import { VariableRun } from './variable-run.js';

type NamedTensorMap = Record<string, Tensor>;

/**
 * A `tf.Optimizer` whose step is one fused kernel per variable: it changes the variable's own GPUBuffer in place, and
 * reads the gradient where tfjs left it. For `minimize`, `applyGradients` and `model.compile({ optimizer })`, on tfjs's
 * WebGPU backend. Float32 variables.
 *
 * Variables are adopted when their first gradient comes; one without a gradient in a step is left as it is in this step,
 * and so is its state. Each counts the steps that it has made itself, and its bias corrections follow that count, as in
 * PyTorch; schedules follow the optimizer's. Where a variable is disposed, the others go on; a new one of its name starts
 * fresh.
 *
 * @example
 * const optimizer = new FusedOptimizer(adam({ lr: 1e-3 })); // in place of tf.train.adam(1e-3)
 * optimizer.minimize(() => loss(model.predict(x), y));
 */
export class FusedOptimizer<R extends Rule = Rule> extends TfjsOptimizer {
  /** The name under which tfjs saves it. */
  static get className(): string {
    return 'FusedOptimizer';
  }

  readonly #options: ResolvedOptions;
  #rule: Rule;
  #isLrSet = false;
  #run: VariableRun | undefined;
  #gradScale: number;
  // Weights of an optimizer that has yet to meet its variables.
  #pending: SavedState | undefined;
  // What getWeights() returned last.
  #exported: ExportedTensors | undefined;
  #isDisposed = false;

  /**
   * Checks rule and options; touches nothing of tfjs before the first step.
   *
   * @param rule the rule, e.g. `adam({ lr: 1e-3 })`; `conventions.tfjs` has the options of `tf.train.*`.
   * @param options as those of `Optimizer.create`, and `groups` by the variables' names; see
   *   {@link FusedOptimizerOptions}.
   * @throws OptimizerError on an unknown option or a value out of range.
   */
  constructor(rule: R, options: FusedOptimizerOptions<NoInfer<R>> = {}) {
    super();
    this.#options = resolveOptions(rule, options);
    this.#rule = rule;
    this.#gradScale = this.#options.settings.gradients.gradScale;
  }

  /**
   * This optimizer if tfjs computes on WebGPU, else another one: for pages that are to work in browsers without WebGPU, too. The one
   * that is not taken is disposed. Call it once tfjs has its backend: where there is WebGPU and its backend is imported, `tf.ready()`
   * takes that, else another one. `tf.setBackend('webgpu')` takes none where there is no WebGPU: it throws, or resolves to `false`.
   *
   * @param other e.g. tfjs's own.
   * @throws OptimizerError `invalid-config` if tfjs has no backend yet, or `other` is no `tf.Optimizer`, and `destroyed`.
   * @example
   * await tf.ready();
   * const optimizer = new FusedOptimizer(adam({ lr: 1e-3 })).orElse(tf.train.adam(1e-3));
   */
  orElse<O extends TfjsOptimizer>(other: O): this | O {
    this.#rejectDisposed('orElse()');
    if (!isRecord(other) || !(other instanceof TfjsOptimizer)) {
      throw new OptimizerError(
        'invalid-config',
        `orElse() was given ${quote(other)}; give a tf.Optimizer, e.g. tf.train.adam(1e-3).`,
      );
    }
    const [taken, left] = isOnWebgpu() ? [this, other] : [other, this];
    left.dispose();
    return taken;
  }

  /** The learning rate of the next step, of the variables that no group names; if all are in groups, of the first one. */
  get learningRate(): number {
    return this.#run?.lr ?? evaluateLearningRate(this.#rule.options.lr, this.#pending?.step ?? 0);
  }

  /**
   * Sets the learning rate, or a schedule, of all variables from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN or infinite, `destroyed`; nothing changes then.
   */
  set learningRate(lr: LearningRate) {
    this.#rejectDisposed('learningRate');
    // Among options, it would leave the one that there is.
    if (lr === undefined) throw new OptimizerError('invalid-option', 'lr is undefined; give a number ≥ 0.');
    const { others } = this.#rule;
    const ofOthers = others && { others: overrideRule(others, { lr }) };
    this.#rule = Object.freeze({ ...overrideRule(this.#rule, { lr }), ...ofOthers });
    this.#isLrSet = true;
    if (this.#run?.engine) this.#run.engine.lr = lr;
  }

  /** Sets `learningRate`, as the optimizers of `tf.train` that have such a method. @throws OptimizerError as it does. */
  setLearningRate(lr: LearningRate): void {
    this.learningRate = lr;
  }

  /** The same as `learningRate`, by the name that it has elsewhere in this library. */
  get lr(): number {
    return this.learningRate;
  }

  set lr(lr: LearningRate) {
    this.learningRate = lr;
  }

  /** Factor on all gradients from the next step on, e.g. 1/K after adding up K batches' gradients. */
  get gradScale(): number {
    return this.#gradScale;
  }

  /** @throws OptimizerError `invalid-option` unless a finite number > 0, `destroyed`. */
  set gradScale(gradScale: number) {
    this.#rejectDisposed('gradScale');
    this.#gradScale = checkGradScale(gradScale);
    if (this.#run?.engine) this.#run.engine.gradScale = gradScale;
  }

  /**
   * The engine behind it, from the first step to `dispose()` or `setWeights()`: for `readState`, `readEma`, `swapEma`.
   * Parameters have the variables' names; one whose name a disposed variable had before is `'name#2'`. Which buffers it steps
   * and when is this class's business: it is told where the variables are by now, and what tfjs has recorded is submitted
   * first, for the engine to see it. So take it anew for each call.
   */
  get engine(): Optimizer<R> | undefined {
    return this.#run?.located;
  }

  /**
   * What became of the steps so far; see `Optimizer.stats`. All zeros before the first.
   *
   * @throws OptimizerError `destroyed`, `device-lost`.
   */
  async stats(): Promise<StepStats> {
    this.#rejectDisposed('stats()');
    if (this.#run?.engine) return this.#run.engine.stats();
    const { lossScale } = this.#options.settings.gradients;
    return { step: 0, skipped: 0, gradNorm: NaN, clipFactor: 1, lossScale, lr: NaN };
  }

  /**
   * As `tf.Optimizer.computeGradients`. With a `lossScale`, the gradients are those of the scaled loss, which
   * `applyGradients` expects; `value` is the loss.
   */
  override computeGradients(f: () => Scalar, varList?: Variable[]): { value: Scalar; grads: NamedTensorMap } {
    const { lossScale, dynamic } = this.#options.settings.gradients;
    if (lossScale === 1 && !dynamic) return variableGrads(f, varList);
    const moving = this.#run?.engine?.lossScaleBuffer ?? this.#pending?.control?.lossScale;
    return scaledGradients(f, varList, (dynamic ? moving : undefined) ?? lossScale);
  }

  /**
   * Makes one step: the variables' weights change in place, all in one submit together with what tfjs has recorded.
   * It waits for nothing; but the step that brings new variables compiles their kernels.
   *
   * @param variableGradients gradients by the variables' names, or a list of them. Variables whose gradient is null are
   *   left as they are. The gradients stay the caller's.
   * @throws OptimizerError if a variable is not float32, unknown or disposed, if its gradient does not fit, or if tfjs
   *   does not compute on WebGPU; no variable has changed then.
   */
  override applyGradients(variableGradients: NamedTensorMap | NamedTensor[]): void {
    this.#rejectDisposed('applyGradients()');
    this.#run ??= new VariableRun(this.#options, this.#rule);
    this.#exported?.dispose();
    this.#run.step(variableGradients, {
      rule: this.#rule,
      lr: this.#isLrSet ? this.#rule.options.lr : undefined,
      gradScale: this.#gradScale,
      pending: this.#pending,
    });
    if (this.#run.engine) this.#pending = undefined;
    this.incrementIterations();
  }

  /**
   * The state as tensors, for `setWeights` and for `model.save(…, { includeOptimizer: true })`. They belong to the
   * optimizer: once `data()` of all has been asked for, as a save does, they are disposed, and by the next step, the next call and
   * `dispose()`. `data()` and `setWeights` take them then, too; for other uses, clone them. Variables that are disposed are not in it.
   *
   * @throws OptimizerError `destroyed`, `device-lost`.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    this.#rejectDisposed('getWeights()');
    return this.#export(toTensors, 'getWeights()');
  }

  /**
   * The state in the form of `tf.train`, for `setWeights` of the rule's counterpart there, which goes on with it: `sgd`, `momentum`,
   * `adagrad`, `rmsprop`, `adam`, `adadelta`; `adamw` is `adam` there, without its decay. Values are the same. Options are not
   * in it: `conventions.tfjs` tells which of ours are theirs. The tensors are as those of {@link getWeights}.
   *
   * @throws OptimizerError `destroyed`, `device-lost`, and `invalid-config` if there is no counterpart, it keeps less (AMSGrad, averages
   *   of weights), its velocity is another (see `lrInVelocity`), or, for Adam, variables have not all made the same number of steps.
   * @example await tf.train.adam(1e-3).setWeights(await optimizer.getTrainWeights());
   */
  async getTrainWeights(): Promise<NamedTensor[]> {
    this.#rejectDisposed('getTrainWeights()');
    return this.#export((saved) => toTrain(saved, this.#rule, this.#options.groups), 'getTrainWeights()');
  }

  /**
   * Goes on with what `getWeights` returned. The next step must bring gradients of all variables that are in it; they are
   * told by their names if these are the same, otherwise by their order, as in `tf.train.*`.
   *
   * Also with what `getWeights` of `tf.train.sgd`, `momentum`, `adagrad`, `rmsprop`, `adam` or `adadelta` returned, for the rule of the
   * same name (`adamw` takes that of `adam`): values and count are taken over as they are. The formula goes on as theirs with the
   * options that `conventions.tfjs` tells (`adadelta`: and `previousAccumulator: true`); the defaults of `momentum` keep another
   * velocity, and are refused.
   *
   * @throws OptimizerError `destroyed`, `invalid-state-dict` if these are no such weights. Whether they fit the variables
   *   turns out at the next step, which is not made if they do not.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    this.#rejectDisposed('setWeights()');
    const given = await fromTensors(weights);
    this.#rejectDisposed('setWeights()');
    const saved = fromTrain(given, this.#rule, this.#options.groups);
    this.#forget();
    this.#pending = saved;
    // oxlint-disable-next-line no-underscore-dangle -- tfjs's name
    this.iterations_ = saved.step + (saved.control?.skipped ?? 0);
  }

  /**
   * Rule and options as plain data. A schedule is saved as the learning rate that it has now, and `onStep` is left out:
   * give them again.
   */
  getConfig(): serialization.ConfigDict {
    return toConfig(this.#rule, this.#options, this.iterations, this.#isLrSet);
  }

  /** An optimizer from `getConfig()`, without state. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    const { rule, options } = fromConfig(config);
    return new (cls as unknown as new (...args: unknown[]) => T)(rule, options);
  }

  /** Frees state and all else that it made. The variables stay as they are. May be called twice. */
  override dispose(): void {
    this.#isDisposed = true;
    this.#forget();
  }

  async #export(convert: (saved: SavedState) => ExportedTensors, what: string): Promise<NamedTensor[]> {
    const saved = (await this.#run?.save()) ?? this.#pending;
    this.#rejectDisposed(what);
    const exported = convert(saved ?? NO_STATE);
    this.#exported?.dispose();
    this.#exported = exported;
    return [...exported.list];
  }

  #forget(): void {
    this.#exported?.dispose();
    this.#run?.destroy();
    this.#run = undefined;
    this.#pending = undefined;
  }

  #rejectDisposed(what: string): void {
    if (!this.#isDisposed) return;
    throw new OptimizerError('destroyed', `${what} was used after dispose(); create a new optimizer.`);
  }
}

serialization.registerClass(FusedOptimizer);
