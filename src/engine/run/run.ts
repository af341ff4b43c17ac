import { BindGroups } from '../../gpu/bind-groups.js';
import type { PassTarget } from '../../gpu/commands.js';
import { createFilled } from '../../gpu/filled-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { Planned } from '../../gpu/pipelines.js';
import { createPagesLayout } from '../../stages/pages.js';
import { rowLayout } from '../../kernel/row.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import { ClippedCopies } from '../../stages/norms/clipped-copies.js';
import { Control } from '../../stages/control/control.js';
import { type RingWatch, RowRing } from '../../stages/row-ring.js';
import { FixedRows } from '../../stages/fixed-rows.js';
import type { Stage, StepContext } from '../../stages/stage.js';
import { type ControlFacts, type Generation, type PartView, planGeneration } from './generation.js';
import { type GroupPart, type PlannedPart, type RunTensor, planPart } from './group-part.js';
import type { ParameterGroup } from '../parameter-group.js';
import type { ResolvedConfig, ResolvedSettings } from '../input/config.js';
import type { ResolvedParameter } from '../input/parameter.js';
import { isClamping, needsControlPass as needsControl } from '../input/gradient-options.js';
import { type Resources, factsOf } from './resources.js';
import { Retirement } from './retirement.js';
import { Rows } from './rows.js';
import { type StepInputs, writeSlot } from './step-slot.js';

/** Whatever a run makes while it goes on is made through this: what the device has against it ends the run. */
export type Watch = RingWatch;

/** Numbers that no other group has: of its tensors, from the first one on, its first row, and itself. */
export interface Reservation {
  readonly firstIndex: number;
  readonly tensorCount: number;
  readonly row: number;
  readonly groupIndex: number;
}

/**
 * A training run on the GPU: groups and their state, the rows that their tensors are stepped with, what decides on the GPU,
 * and the generation of stages that is in force. A change of any of it makes the next generation.
 */
export class Run {
  readonly rows: Rows;
  readonly lossScaleBuffer: GPUBuffer;
  readonly control: Control | undefined;
  readonly ring: RowRing;
  readonly #parts: GroupPart[] = [];
  /** What stages are told that are only to be checked: no row takes part. */
  readonly idle: StepContext;
  readonly #idleRow: FixedRows;
  readonly #retirement = new Retirement();
  #generation!: Generation;
  #version = 0;
  #groupCount: number;
  readonly #released: Reservation[] = [];

  /** Creates all that the parts need beside what is theirs; run it in error scopes. */
  constructor(
    readonly resources: Resources,
    readonly settings: ResolvedSettings,
    /** All that there ever were, by their numbers. */
    readonly tensors: (RunTensor | undefined)[],
    rows: Rows,
    parts: readonly PlannedPart[],
    private readonly watch: Watch,
  ) {
    const { device, row, pagesLayout, label } = resources;
    const { gradients } = settings;
    this.rows = rows;
    this.#groupCount = parts.length;
    this.lossScaleBuffer = createLossScale(device, gradients.lossScale, label);
    const isControlled = needsControl(gradients);
    if (isControlled) this.control = new Control(device, gradients, row, this.lossScaleBuffer, label);
    this.ring = new RowRing(device, row, isControlled, rows.list.length, pagesLayout, watch, label);
    this.control?.reserve(tensors.length);
    this.#idleRow = new FixedRows(device, row, pagesLayout, [{ is_active: 0 }], `${label} idle`);
    this.idle = idleContext(this.#idleRow.context(0), this.ring);
    for (const planned of parts) this.#take(planned.make());
    this.#generation = this.plan(this.#parts).make();
  }

  /** Another number after every change of what the generation is made of. */
  get version(): number {
    return this.#version;
  }

  /** What kernels need to know of what decides on the GPU. */
  get controlFacts(): ControlFacts | undefined {
    return this.control;
  }

  /** Bytes of a slot of the state. */
  get stateByteLength(): number {
    return this.#parts.reduce((sum, { slabs }) => sum + slabs.byteLength, 0);
  }

  /** Numbers for a group that is to join. */
  reserve(tensorCount: number): Reservation {
    const k = this.#released.findIndex((free) => free.tensorCount >= tensorCount);
    if (k >= 0) return this.#released.splice(k, 1)[0]!;
    const firstIndex = this.tensors.length;
    this.tensors.length += tensorCount;
    const row = this.rows.reserve();
    // At once: steps before it joins say of this row, too, that it takes no part.
    this.ring.reserve(this.rows.list.length);
    return { firstIndex, tensorCount, row, groupIndex: this.#groupCount++ };
  }

  /** Takes the numbers of a group back that did not join: nothing that is encoded knows them. */
  release(reservation: Reservation): void {
    this.#released.push(reservation);
  }

  /** The groups, in order. */
  get parts(): readonly GroupPart[] {
    return this.#parts;
  }

  get generation(): Generation {
    return this.#generation;
  }

  /** Plans the generation of some parts. */
  plan(parts: readonly GroupPart[]): Planned<Generation> {
    this.ring.reserve(this.rows.list.length);
    const plan = planGeneration(this.resources, this.control, parts.map(viewOf), this.#generation);
    return {
      sources: plan.sources,
      make: () => {
        this.control?.reserve(this.tensors.length);
        return plan.make();
      },
    };
  }

  /**
   * Encodes one step.
   *
   * @param target where its dispatches go.
   * @param pendingIn the caller's encoder or pass, or undefined if the step is submitted at once.
   * @param skipped tensors that are left as they are.
   */
  encode(
    target: PassTarget,
    inputs: StepInputs,
    pendingIn: GPUCommandEncoder | GPUComputePassEncoder | undefined,
    skipped: ReadonlySet<RunTensor> | undefined,
  ): void {
    let isChanged = skipped !== undefined && this.rows.separate(skipped).size > 0;
    for (const [part, { rule }] of inputs.ruleOf) if (part.follow(rule)) isChanged = true;
    if (isChanged) this.renew();
    if (pendingIn) this.expectSubmission();
    const active = this.rows.activeWithout(skipped);
    this.ring.take(pendingIn, active, (slot, wordOfRow) =>
      writeSlot(slot, wordOfRow, this.ring.slot, this, active, inputs),
    );
    // Stages bind what the ring has made anew.
    if (this.ring.isUnsure) this.watch(() => this.#encodePass(target));
    else this.#encodePass(target);
    this.rows.list.forEach((row, k) => {
      if (row && active[k] === 1) row.count++;
    });
  }

  #encodePass(target: PassTarget): void {
    const pass = target.begin(`${this.resources.label} step`);
    this.#generation.encode(pass, this.ring);
    target.end(pass);
  }

  /** Lets a part join, with the generation that was made for it and all others. */
  adopt(part: GroupPart, generation: Generation): void {
    this.#take(part);
    this.#replace(generation);
  }

  /** Makes the next generation, of rows and parts as they are now. */
  renew(): void {
    this.#replace(this.watch(() => this.plan(this.#parts).make()));
  }

  /**
   * Steps tensors where they lie now.
   *
   * @param changes the tensors and where they are to lie.
   * @throws OptimizerError as `Stage.prepareRebind`; nothing has changed then.
   */
  rebind(changes: readonly { readonly entry: RunTensor; readonly parameter: ResolvedParameter }[]): void {
    const before = changes.map(({ entry }) => entry.parameter);
    for (const { entry, parameter } of changes) entry.parameter = parameter;
    try {
      this.#generation.prepareRebind(changes.map(({ entry }) => entry.part.planTensor(entry)))();
    } catch (error) {
      changes.forEach(({ entry }, k) => (entry.parameter = before[k]!));
      throw error;
    }
    this.#version++;
  }

  /** Encodes all that binds the callers' buffers, with nothing to do. */
  encodeProbe(pass: GPUComputePassEncoder): void {
    this.#generation.encodeProbe(pass, this.idle);
    for (const part of this.#parts) part.encodeProbe(pass);
  }

  /** Commands in a caller's encoder are told of: what they refer to must not be freed. */
  expectSubmission(): void {
    this.#retirement.isPending = true;
  }

  /** Frees stages that are not used any more, when nothing that is encoded can still refer to them. */
  retire(stages: Iterable<Pick<Stage, 'destroy'>>): void {
    for (const stage of stages) this.#retirement.add(stage);
  }

  destroy(): void {
    this.#retirement.destroy();
    for (const stage of this.#generation.without(undefined)) stage.destroy();
    for (const part of this.#parts) part.destroy();
    this.control?.destroy();
    this.resources.clipped?.destroy();
    this.ring.destroy();
    this.#idleRow.destroy();
    this.lossScaleBuffer.destroy();
  }

  #take(part: GroupPart): void {
    const [first] = part.tensors;
    this.rows.fill(first!.row, part, part.tensors);
    for (const tensor of part.tensors) this.tensors[tensor.index] = tensor;
    this.#parts.push(part);
  }

  #replace(generation: Generation): void {
    const before = this.#generation;
    this.#generation = generation;
    this.#version++;
    this.retire(before.without(generation));
  }
}

/** The ring as it is, but that every row is one that takes no part. */
function idleContext(row: StepContext, ring: StepContext): StepContext {
  return {
    pages: row.pages,
    pageOffset: row.pageOffset.bind(row),
    get slots() {
      return ring.slots;
    },
    slotOffset: ring.slotOffset.bind(ring),
    get slotByteLength() {
      return ring.slotByteLength;
    },
    isActive: () => false,
  };
}

/** A part as its generation sees it. */
export function viewOf(part: GroupPart): PartView {
  return { layout: part.layout, tensors: part.planTensors(), label: part.label, part };
}

/**
 * Plans a run.
 *
 * @param groups as users see them, one per group of the config.
 * @throws OptimizerError `limit-exceeded`.
 */
export function planRun(
  device: GPUDevice,
  config: ResolvedConfig,
  groups: readonly ParameterGroup[],
  watch: Watch,
): Planned<Run> {
  const tensors: (RunTensor | undefined)[] = [];
  const resources = makeResources(device, config, tensors);
  const rows = new Rows();
  const parts = config.groups.map(({ parameters }, g) => {
    const firstIndex = tensors.length;
    tensors.length += parameters.length;
    return planPart(resources, groups[g]!, parameters, firstIndex, rows.reserve(), labelOf(config, g));
  });
  const isControlled = needsControl(config.gradients);
  // Without a part there is nothing to be made of it yet, but the kernels are known.
  const kernels = planGeneration(
    resources,
    isControlled ? { options: config.gradients, row: resources.row, label: config.label } : undefined,
    parts,
  );
  return {
    sources: [...parts.flatMap(({ sources }) => sources), ...kernels.sources],
    make: () => new Run(resources, config, tensors, rows, parts, watch),
  };
}

/** Label of all that is a group's. */
export function labelOf({ label, rule }: ResolvedSettings, group: number): string {
  return `${label} ${rule.name}${group > 0 ? ` group ${group}` : ''}`;
}

function makeResources(
  device: GPUDevice,
  { gradients, kernel, label, rule }: ResolvedSettings,
  tensors: readonly (RunTensor | undefined)[],
): Resources {
  const row = rowLayout(layoutOf(rule));
  return {
    device,
    row,
    facts: factsOf(device),
    isClamped: isClamping(gradients),
    clipped:
      gradients.maxGradNormPerTensor < Infinity
        ? new ClippedCopies(device, gradients.maxGradNormPerTensor, label)
        : undefined,
    shape: kernel,
    bindGroups: new BindGroups(device),
    pagesLayout: createPagesLayout(device, row, label),
    nameOf: (tensor) => tensors[tensor]!.parameter.name,
    label,
  };
}

function createLossScale(device: GPUDevice, lossScale: number, label: string): GPUBuffer {
  // Of the size that a uniform of a vec4 has.
  return createFilled(
    device,
    `${label} loss scale`,
    BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_SRC,
    Float32Array.of(lossScale, 0, 0, 0),
  );
}
