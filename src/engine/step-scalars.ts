import { scalarNames, scalarsByteLength, stepScalars } from '../kernel/scalars.js';
import type { Rule } from '../rules/rule.js';
import type { ControlPass } from './control/control-pass.js';
import { SETTINGS_BYTE_LENGTH } from './control/prepare-control.js';
import type { ResolvedGradientOptions } from './control/settings.js';
import { ScalarRing } from './scalar-ring.js';

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

/** The numbers of a step: written to the ring, and bound for the step kernels and the control pass. */
export class StepScalars {
  readonly #ring: ScalarRing;
  readonly #names: readonly string[];
  readonly #byteLength: number;
  readonly #offset = new Uint32Array(1);
  #slotOffset = 0;
  #groups: readonly GPUBindGroup[] = [];
  #settings: GPUBindGroup | undefined;

  /** Creates the ring and the bind groups; run it in error scopes. */
  constructor(
    private readonly device: GPUDevice,
    /** Any group's: the names of the scalars are the same for all. */
    rule: Rule,
    /** Per group, the layout of its bind group. */
    private readonly layouts: readonly GPUBindGroupLayout[],
    private readonly control: ControlPass | undefined,
    private readonly gradients: ResolvedGradientOptions,
    private readonly label: string,
  ) {
    this.#names = scalarNames(rule);
    this.#byteLength = scalarsByteLength(rule);
    const structCount = layouts.length + Number(control !== undefined);
    const largest = Math.max(this.#byteLength, SETTINGS_BYTE_LENGTH);
    this.#ring = new ScalarRing(device, structCount, largest, label);
    this.#bind();
  }

  /** Per group, the bind group of its scalars and of what the control pass decided; after {@link write} maybe another. */
  get groups(): readonly GPUBindGroup[] {
    return this.#groups;
  }

  /** The bind group of the control pass's settings, if there is one. */
  get settings(): GPUBindGroup | undefined {
    return this.#settings;
  }

  /**
   * Writes the numbers of one step.
   *
   * @param pendingIn the caller's encoder, or undefined if the step is submitted at once.
   */
  write({ groups, gradScale }: StepInputs, pendingIn: GPUCommandEncoder | undefined): void {
    const gradient = {
      multiplier: gradScale / this.gradients.lossScale,
      maxValue: this.gradients.maxGradValue,
    };
    const { byteOffset, grown } = this.#ring.take(pendingIn, (view, k) => {
      const group = groups[k];
      if (!group) {
        this.control!.writeSettings(view, gradScale);
        return;
      }
      const scalars = stepScalars(group.rule, group.lr, group.t, gradient);
      this.#names.forEach((name, field) => (view[field] = scalars[name]!));
    });
    this.#slotOffset = byteOffset;
    if (grown) this.#bind();
  }

  /**
   * The dynamic offset of what {@link write} wrote for a group, or behind the last one for the control pass; in an array
   * that the next call overwrites.
   */
  offsetOf(k: number): Uint32Array {
    this.#offset[0] = this.#slotOffset + this.#ring.structOffset(k);
    return this.#offset;
  }

  destroy(): void {
    this.#ring.destroy();
  }

  /** The bind groups refer to the ring's buffer; they are made anew when it moves. */
  #bind(): void {
    const { buffer } = this.#ring;
    const { control, device, label } = this;
    if (control) {
      this.#settings = device.createBindGroup({
        label: `${label} settings`,
        layout: control.settingsLayout,
        entries: [{ binding: 0, resource: { buffer, size: SETTINGS_BYTE_LENGTH } }],
      });
    }
    this.#groups = this.layouts.map((layout, g) =>
      device.createBindGroup({
        label: `${label} scalars ${g}`,
        layout,
        entries: [
          { binding: 0, resource: { buffer, size: this.#byteLength } },
          ...(control ? [{ binding: 1, resource: control.outputBinding(g) }] : []),
        ],
      }),
    );
  }
}
