import { OptimizerError, quote } from '../errors.js';
import { scalarNames, scalarsByteLength, stepScalars } from '../kernel/scalars.js';
import type { LearningRate } from '../rules/options.js';
import type { Rule } from '../rules/rule.js';
import { type OptimizerConfig, resolveConfig } from './config.js';
import { captureErrors, checkDevice, rejectLostDevice } from './device.js';
import { GradientClearer } from './gradient-clearer.js';
import { ParameterGroup } from './group.js';
import { GroupExecutor, prepareGroup } from './group-executor.js';
import type { ResolvedParameter, Span } from './parameter.js';
import { readSpans } from './readback.js';
import { ScalarRing } from './scalar-ring.js';
import { type StateDict, checkStateDict, describeGroup } from './state-dict.js';

/** Where a parameter is: its group, its index there, and its checked buffers. */
interface Location {
  readonly executor: GroupExecutor;
  readonly indexInGroup: number;
  readonly parameter: ResolvedParameter;
}

/**
 * Updates parameters in place on the GPU, one fused kernel per tensor and step. It adopts the device and the
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
  /** The parameter groups; one if the config gave `params`. */
  readonly groups: readonly ParameterGroup[];
  readonly #device: GPUDevice;
  readonly #label: string;
  readonly #ruleName: string;
  readonly #executors: readonly GroupExecutor[];
  readonly #locations = new Map<string, Location>();
  readonly #clearer: GradientClearer;
  readonly #ring: ScalarRing;
  readonly #scalarNames: readonly string[];
  readonly #offset = new Uint32Array(1);
  #scalarGroups: GPUBindGroup[];
  #step = 0;
  #destroyed = false;

  private constructor(
    device: GPUDevice,
    rule: Rule,
    label: string,
    groups: ReturnType<typeof resolveConfig>['groups'],
    executors: readonly GroupExecutor[],
    ring: ScalarRing,
  ) {
    this.#device = device;
    this.#label = label;
    this.#ruleName = rule.name;
    this.#executors = executors;
    this.#ring = ring;
    this.#scalarNames = scalarNames(rule);
    this.#scalarGroups = this.#bindScalars();
    this.groups = Object.freeze(
      groups.map(
        (group) =>
          new ParameterGroup(
            group.rule,
            group.parameters.map(({ name }) => name),
            () => this.#step,
          ),
      ),
    );
    groups.forEach(({ parameters }, g) =>
      parameters.forEach((parameter, indexInGroup) =>
        this.#locations.set(parameter.name, { executor: executors[g]!, indexInGroup, parameter }),
      ),
    );
    this.#clearer = new GradientClearer(
      [...this.#locations.values()].flatMap(({ parameter }) => parameter.grad),
    );
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
    const { groups, label } = resolveConfig(config);
    const prepared = await Promise.all(groups.map((group) => prepareGroup(device, group)));
    const executors: GroupExecutor[] = [];
    let ring: ScalarRing | undefined;
    try {
      const { error } = await captureErrors(device, () => {
        ring = new ScalarRing(device, groups.length, scalarsByteLength(config.rule), label);
        prepared.forEach(({ plan, kernels }, g) => {
          const groupLabel = `${label} ${config.rule.name}${groups.length > 1 ? ` group ${g}` : ''}`;
          executors.push(new GroupExecutor(device, groups[g]!, plan, kernels, groupLabel));
        });
      });
      if (error) throw allocationError(error, prepared.map(({ plan }) => plan.stateByteLengths).flat());
      for (const executor of executors) await executor.bind();
      rejectLostDevice(device);
      return new Optimizer(device, config.rule, label, groups, executors, ring!);
    } catch (error) {
      for (const executor of executors) executor.destroy();
      ring?.destroy();
      throw error;
    }
  }

  /** The rule's name, e.g. `'adam'`. */
  get rule(): string {
    return this.#ruleName;
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

  /**
   * Makes one step: encodes and submits it. Returns before the GPU is done, and never waits.
   *
   * @throws OptimizerError if destroyed, if the device is lost, or if a schedule returns nonsense; the step is
   *   not made then.
   */
  step(): void {
    this.#rejectUnusable('step');
    const lrs = this.groups.map((group) => group.lr);
    const encoder = this.#device.createCommandEncoder({ label: `${this.#label} step` });
    this.#encode(encoder, lrs, undefined);
    this.#device.queue.submit([encoder.finish()]);
  }

  /**
   * Encodes one step into the caller's encoder, as a compute pass of its own, with the learning rates in force
   * now. It may be called any number of times on one encoder. Of encoders that are not submitted yet, all
   * together may hold 1024 steps; a single one may hold any number.
   *
   * @throws OptimizerError as {@link step}.
   */
  encode(encoder: GPUCommandEncoder): void {
    this.#rejectUnusable('encode');
    checkEncoder(encoder, 'encode');
    const lrs = this.groups.map((group) => group.lr);
    this.#encode(encoder, lrs, encoder);
  }

  /**
   * Sets all gradients to zero: in the caller's encoder, or submitted at once without one.
   *
   * @throws OptimizerError `invalid-parameter` if a gradient buffer lacks COPY_DST, or if destroyed.
   */
  zeroGrad(encoder?: GPUCommandEncoder): void {
    this.#rejectUnusable('zeroGrad');
    if (encoder !== undefined) {
      checkEncoder(encoder, 'zeroGrad');
      this.#clearer.encode(encoder);
      return;
    }
    const own = this.#device.createCommandEncoder({ label: `${this.#label} zeroGrad` });
    this.#clearer.encode(own);
    this.#device.queue.submit([own.finish()]);
  }

  /**
   * Reads a parameter's weights as they are after the steps made so far.
   *
   * @throws OptimizerError if the name is unknown, the buffer lacks COPY_SRC, or the optimizer is destroyed.
   */
  async readParam(name: string): Promise<Float32Array<ArrayBuffer>> {
    this.#rejectUnusable('readParam');
    return readSpans(this.#device, this.#locate(name).parameter.data, `parameter ${quote(name)}`);
  }

  /**
   * Reads a slot of a parameter's optimizer state, e.g. `readState('w', 'exp_avg')`.
   *
   * @throws OptimizerError if the name is unknown, the rule's options use no such slot, or the optimizer is
   *   destroyed.
   */
  async readState(name: string, slot: string): Promise<Float32Array<ArrayBuffer>> {
    this.#rejectUnusable('readState');
    return readSpans(this.#device, this.#stateSpans(name, slot), `${slot} of parameter ${quote(name)}`);
  }

  /** Everything that a resumed run needs beside the parameters, as plain data; see {@link StateDict}. */
  async stateDict(): Promise<StateDict> {
    this.#rejectUnusable('stateDict');
    const { rule } = this;
    const step = this.#step;
    const groups = this.groups.map(describeGroup);
    const entries = [...this.#locations].map(async ([name, { executor }]) => {
      const slots = executor.state.slots.map(
        async (slot) => [slot, await this.readState(name, slot)] as const,
      );
      return [name, Object.fromEntries(await Promise.all(slots))] as const;
    });
    return { rule, step, groups, state: Object.fromEntries(await Promise.all(entries)) };
  }

  /**
   * Restores the step count, the state and the groups' options from {@link stateDict}. A live schedule stays and
   * follows the restored step.
   *
   * @throws OptimizerError `invalid-state-dict` if the dict is of another rule, other names, shapes or switches;
   *   nothing changes then.
   */
  async loadStateDict(dict: StateDict): Promise<void> {
    this.#rejectUnusable('loadStateDict');
    const elementCounts = new Map(
      [...this.#locations].map(([name, { parameter }]) => [name, parameter.elementCount]),
    );
    const rules = checkStateDict(dict, { ruleName: this.rule, groups: this.groups, elementCounts });
    rules.forEach((rule, g) => this.groups[g]!.replaceRule(rule));
    this.#step = dict.step;
    for (const [name, { executor, indexInGroup }] of this.#locations) {
      for (const slot of executor.state.slots) {
        executor.state.write(this.#device, slot, indexInGroup, dict.state[name]![slot]!);
      }
    }
  }

  /** Frees the optimizer state. The parameters and the device stay the caller's. May be called twice. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const executor of this.#executors) executor.destroy();
    this.#ring.destroy();
  }

  #encode(
    encoder: GPUCommandEncoder,
    lrs: readonly number[],
    pendingIn: GPUCommandEncoder | undefined,
  ): void {
    const t = this.#step + 1;
    const { byteOffset, grown } = this.#ring.take(pendingIn, (view, g) => {
      const scalars = stepScalars(this.groups[g]!.rule, lrs[g]!, t);
      this.#scalarNames.forEach((name, k) => (view[k] = scalars[name]!));
    });
    if (grown) this.#scalarGroups = this.#bindScalars();
    const pass = encoder.beginComputePass({ label: `${this.#label} step` });
    this.#executors.forEach((executor, g) => {
      this.#offset[0] = byteOffset + this.#ring.groupOffset(g);
      executor.encode(pass, this.#scalarGroups[g]!, this.#offset);
    });
    pass.end();
    this.#step = t;
  }

  #bindScalars(): GPUBindGroup[] {
    return this.#executors.map((executor, g) =>
      this.#device.createBindGroup({
        label: `${this.#label} scalars ${g}`,
        layout: executor.scalarsLayout,
        entries: [{ binding: 0, resource: { buffer: this.#ring.buffer, size: this.#ring.byteLength } }],
      }),
    );
  }

  #locate(name: string): Location {
    const location = this.#locations.get(name);
    if (location) return location;
    const known = [...this.#locations.keys()].slice(0, 20).map(quote).join(', ');
    throw new OptimizerError(
      'invalid-parameter',
      `there is no parameter ${quote(name)}; there are ${known}.`,
    );
  }

  #stateSpans(name: string, slot: string): Span[] {
    const { executor, indexInGroup } = this.#locate(name);
    const { slots } = executor.state;
    if (slots.includes(slot)) return executor.state.spans(slot, indexInGroup);
    const has = slots.length > 0 ? `has ${slots.map(quote).join(', ')}` : 'has none';
    throw new OptimizerError(
      'invalid-parameter',
      `${this.rule} has no state ${quote(slot)} here; it ${has}.`,
    );
  }

  #rejectUnusable(what: string): void {
    if (this.#destroyed) {
      throw new OptimizerError('destroyed', `${what}() was called after destroy(); create a new optimizer.`);
    }
    rejectLostDevice(this.#device);
  }
}

function checkEncoder(encoder: unknown, what: string): void {
  if (encoder instanceof GPUCommandEncoder) return;
  throw new OptimizerError(
    'invalid-config',
    `${what}(): encoder is ${quote(encoder)}; give device.createCommandEncoder().`,
  );
}

function allocationError(error: GPUError, stateByteLengths: readonly number[]): OptimizerError {
  const byteLength = stateByteLengths.reduce((sum, n) => sum + n, 0);
  return new OptimizerError(
    'out-of-memory',
    `the device could not allocate the optimizer state, ${byteLength} bytes per state slot: ` +
      `${error.message.trim()} Use fewer or smaller parameters, or a rule with less state.`,
  );
}
