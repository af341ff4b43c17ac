import { OptimizerError } from '../errors.js';
import { scalarNames, scalarsByteLength, stepScalars } from '../kernel/scalars.js';
import type { Rule } from '../rules/rule.js';
import type { ResolvedConfig } from './config.js';
import {
  ControlPass,
  type PreparedControl,
  SETTINGS_BYTE_LENGTH,
  prepareControl,
} from './control/control-pass.js';
import { type ResolvedGradientOptions, needsControlPass } from './control/settings.js';
import { StatsRing } from './control/stats-ring.js';
import { captureErrors, isDeviceLost, rejectLostDevice } from './device.js';
import { GroupExecutor, prepareGroup } from './group-executor.js';
import { ScalarRing } from './scalar-ring.js';

/** What a step needs to know beside what is on the GPU already. */
export interface StepInputs {
  /** Per group, the rule with its present options, and the learning rate in force. */
  readonly groups: readonly { readonly rule: Rule; readonly lr: number }[];
  /** 1-based number of the step; where steps may be skipped, the GPU's own count takes its place. */
  readonly t: number;
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
  readonly #ring: ScalarRing;
  readonly #device: GPUDevice;
  readonly #gradients: ResolvedGradientOptions;
  readonly #label: string;
  readonly #scalarNames: readonly string[];
  readonly #offset = new Uint32Array(1);
  #scalarGroups: readonly GPUBindGroup[];
  #settingsGroup: GPUBindGroup | undefined;

  /** Creates all buffers; run it in error scopes. What it had made when it threw is freed. */
  private constructor(
    device: GPUDevice,
    { groups, gradients, label }: ResolvedConfig,
    preparedGroups: readonly Awaited<ReturnType<typeof prepareGroup>>[],
    preparedControl: PreparedControl | undefined,
  ) {
    const { rule } = groups[0]!;
    this.#device = device;
    this.#gradients = gradients;
    this.#label = label;
    this.#scalarNames = scalarNames(rule);
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.lossScaleBuffer = device.createBuffer({
      label: `${label} loss scale`,
      size: 16,
      usage: STORAGE | UNIFORM | COPY_SRC | COPY_DST,
    });
    device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(gradients.lossScale));
    const structCount = groups.length + Number(preparedControl !== undefined);
    const structByteLength = Math.max(scalarsByteLength(rule), SETTINGS_BYTE_LENGTH);
    this.#ring = new ScalarRing(device, structCount, structByteLength, label);
    if (preparedControl) {
      this.control = new ControlPass(device, preparedControl, this.lossScaleBuffer, label);
      this.stats = new StatsRing(device, this.control.stateBuffer, label);
    }
    this.executors = preparedGroups.map(({ plan, kernels }, g) => {
      const groupLabel = `${label} ${rule.name}${groups.length > 1 ? ` group ${g}` : ''}`;
      return new GroupExecutor(device, groups[g]!, plan, kernels, groupLabel);
    });
    this.#scalarGroups = this.#bindScalars();
  }

  /**
   * Compiles the kernels, allocates everything and tries the caller's buffers.
   *
   * @throws OptimizerError `out-of-memory`, `limit-exceeded`, `invalid-parameter`, `device-lost`, `shader`.
   */
  static async create(device: GPUDevice, config: ResolvedConfig): Promise<StepRunner> {
    const { groups, gradients } = config;
    const controlled = needsControlPass(gradients);
    const features = { controlled, clamped: gradients.maxGradValue < Infinity };
    const rules = groups.map(({ rule }) => rule);
    const spans = groups.flatMap(({ parameters }) => parameters.flatMap(({ grad }) => grad));
    const preparedControl = controlled ? prepareControl(device, rules, spans, gradients) : undefined;
    const preparedGroups = await Promise.all(groups.map((group) => prepareGroup(device, group, features)));
    const control = await preparedControl;
    const { result: runner, error } = await captureErrors(
      device,
      () => new StepRunner(device, config, preparedGroups, control),
    );
    try {
      if (error) throw allocationError(error, preparedGroups.map(({ plan }) => plan.stateByteLengths).flat());
      await runner.#bind();
      rejectLostDevice(device);
      return runner;
    } catch (failure) {
      runner.destroy();
      throw failure;
    }
  }

  /**
   * Encodes a step as one compute pass.
   *
   * @param pendingIn the caller's encoder, or undefined if the step is submitted at once.
   */
  encode(
    encoder: GPUCommandEncoder,
    { groups, t, gradScale }: StepInputs,
    pendingIn?: GPUCommandEncoder,
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
      const scalars = stepScalars(group.rule, group.lr, t, gradient);
      this.#scalarNames.forEach((name, field) => (view[field] = scalars[name]!));
    });
    if (grown) this.#scalarGroups = this.#bindScalars();
    const pass = encoder.beginComputePass({ label: `${this.#label} step` });
    if (this.control) {
      this.#offset[0] = byteOffset + this.#ring.structOffset(groups.length);
      this.control.encode(pass, this.#settingsGroup!, this.#offset);
    }
    this.executors.forEach((executor, g) => {
      this.#offset[0] = byteOffset + this.#ring.structOffset(g);
      executor.encode(pass, this.#scalarGroups[g]!, this.#offset);
    });
    pass.end();
  }

  get isDeviceLost(): boolean {
    return isDeviceLost(this.#device);
  }

  destroy(): void {
    for (const executor of this.executors) executor.destroy();
    this.control?.destroy();
    this.stats?.destroy();
    this.#ring.destroy();
    this.lossScaleBuffer.destroy();
  }

  async #bind(): Promise<void> {
    for (const [g, executor] of this.executors.entries()) await executor.bind(this.#scalarGroups[g]!);
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

function allocationError(error: GPUError, stateByteLengths: readonly number[]): OptimizerError {
  const byteLength = stateByteLengths.reduce((sum, n) => sum + n, 0);
  return new OptimizerError(
    'out-of-memory',
    `the device could not allocate the optimizer state, ${byteLength} bytes per state slot: ` +
      `${error.message.trim()} Use fewer or smaller parameters, or a rule with less state.`,
  );
}
