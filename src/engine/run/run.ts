import type { PassTarget } from '../../gpu/commands.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { makeFilled } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { Planned } from '../../gpu/pipelines.js';
import { Control } from '../../stages/control/control.js';
import { type RingWatch, RowRing } from '../../stages/row-ring.js';
import { FixedRows } from '../../stages/fixed-rows.js';
import { MOST_STEPS } from '../../kernel/row.js';
import type { Stage, StepContext } from '../../stages/stage.js';
import { type ControlFacts, type Generation, type PartView, planGeneration } from './generation.js';
import { type Reshaping, planLeaving, planMembers, reshape } from './reshape.js';
import { type GroupPart, type PlannedPart, type RunTensor, makePart } from './group-part.js';
import type { ResolvedSettings } from '../input/config.js';
import type { ResolvedParameter } from '../input/parameter/parameter.js';
import { needsControlPass as needsControl } from '../input/options/gradient-options.js';
import type { Resources } from './resources.js';
import { Retirement } from './retirement.js';
import type { Rows } from './rows.js';
import { type StepInputs, writeSlot } from './step-slot.js';

/** Whatever a run makes while it goes on is made through this: what the device has against it ends the run. */
export type Watch = RingWatch;

/** Numbers that no other group has: of its tensors, its first row, and itself. */
export interface Reservation {
  readonly indices: readonly number[];
  readonly row: number;
  readonly groupIndex: number;
}

/** A change that is submitted, and that the device may still refuse. */
export interface Attempt {
  /**
   * Ends it. Once it has ended, this does nothing.
   *
   * @param isDone whether the change stays; else the groups go on as they were, if nothing has changed since.
   * @returns false if they cannot.
   */
  settle(isDone: boolean): boolean;
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
  #parts: GroupPart[] = [];
  /** What stages are told that are only to be checked: no row takes part. */
  readonly idle: StepContext;
  readonly #idleRow: FixedRows;
  readonly #retirement = new Retirement();
  #generation!: Generation;
  #version = 0;
  #groupCount: number;
  readonly #freeIndices: number[] = [];

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
    for (const planned of parts) this.#take(makePart(planned));
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

  /** Bytes of the state of all elements. */
  get stateByteLength(): number {
    return this.#parts.reduce((sum, { slabs }) => sum + slabs.byteLength, 0);
  }

  /** Numbers for a group that is to join, with tensors of these names. */
  reserve(names: readonly string[]): Reservation {
    const indices = names.map((name) => {
      const index = this.#freeIndices.pop() ?? this.tensors.push(undefined) - 1;
      this.resources.names[index] = name;
      return index;
    });
    const row = this.rows.reserve();
    // At once: steps before it joins say of this row, too, that it takes no part.
    this.ring.reserve(this.rows.list.length);
    return { indices, row, groupIndex: this.#groupCount++ };
  }

  /** Takes the numbers of a group back that did not join: nothing that is encoded knows them. */
  release({ indices, row }: Reservation): void {
    this.#freeIndices.push(...indices.toReversed());
    this.rows.release(row);
  }

  /** The groups, in order. */
  get parts(): readonly GroupPart[] {
    return this.#parts;
  }

  get generation(): Generation {
    return this.#generation;
  }

  /**
   * For a generation that may turn out not to be there.
   *
   * @returns what forgets the memory that was made for it from now on until then, if no other generation has come since.
   */
  mark(): () => void {
    const version = this.#version;
    const forget = this.#markMemory();
    return () => {
      if (this.#version === version) forget();
    };
  }

  /** @returns what forgets the memory for stages that was made from now on until then. */
  #markMemory(): () => void {
    const forget = this.control?.mark();
    const forgetOverflows = this.resources.overflows.mark();
    return () => {
      forget?.();
      forgetOverflows();
      this.resources.clipped?.forget();
    };
  }

  /** Plans the generation of some parts. */
  plan(parts: readonly GroupPart[]): Planned<Generation> {
    this.ring.reserve(this.rows.list.length);
    const plan = planGeneration(
      this.resources,
      this.control,
      parts.map((part) => this.#viewOf(part)),
      this.#generation,
    );
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
    this.rows.note(active);
  }

  #encodePass(target: PassTarget): void {
    const pass = target.begin(`${this.resources.label} step`);
    this.#generation.encode(pass, this.ring);
    target.end(pass);
  }

  /**
   * Lets a part join.
   *
   * @param moved tensors of other groups that are to be of this one.
   * @param generation that was made for it and all others as they are now, if there is one.
   * @throws OptimizerError as {@link planReshaping}; nothing has changed then.
   */
  adopt(part: GroupPart, moved: ReadonlySet<RunTensor>, generation: Generation | undefined): void {
    const { resources } = this;
    const reshapings =
      moved.size > 0
        ? [planMembers(resources, part, [...part.tensors, ...moved]), ...planLeaving(resources, moved)]
        : [];
    this.#take(part);
    this.rows.move(moved, part);
    if (moved.size > 0) this.reshape(reshapings);
    else if (generation) this.#replace(generation);
    else this.renew();
  }

  /** Makes the next generation, of rows and parts as they are now. */
  renew(): void {
    this.#replace(this.watch(() => this.plan(this.#parts).make()));
  }

  /** Freezes tensors, or lets them go on. */
  setFrozen(tensors: ReadonlySet<RunTensor>, isFrozen: boolean): void {
    if (this.rows.setFrozen(tensors, isFrozen)) this.renew();
  }

  /**
   * Lets groups go on with other tensors, or with tensors of other sizes; groups that are left without any are gone. All of it is
   * submitted at once, so that calls that follow see it.
   *
   * @param reshapings of {@link planReshaping}.
   */
  reshape(reshapings: readonly Reshaping[]): void {
    this.watch(() => this.tryReshape(reshapings)).settle(true);
  }

  /**
   * As {@link reshape}; what the device has against it is for the caller to see.
   *
   * @param also encodes what else belongs to it, before the state moves.
   */
  tryReshape(reshapings: readonly Reshaping[], also?: (encoder: GPUCommandEncoder) => void): Attempt {
    const { device, label } = this.resources;
    const partsBefore = this.#parts;
    const forget = this.#markMemory();
    const encoder = device.createCommandEncoder({ label: `${label} reshape` });
    also?.(encoder);
    const made = reshapings.map((each) => reshape(device, encoder, each));
    this.#parts = this.#parts.filter(({ tensors }) => tensors.length > 0);
    this.#replace(this.plan(this.#parts).make());
    if (also) {
      // What the next steps bind is bound here, too: without any of it, nothing of this has an effect.
      const pass = encoder.beginComputePass({ label: `${label} probe` });
      this.encodeProbe(pass);
      pass.end();
    }
    device.queue.submit([encoder.finish()]);
    const version = this.#version;
    const release = this.#retirement.hold(made.flatMap(({ left }) => left));
    return {
      settle: (isDone) => {
        const isUndone = !isDone && this.#version === version;
        release(isUndone);
        if (!isUndone) return isDone;
        this.#parts = partsBefore;
        for (const each of made) each.undo();
        forget();
        this.renew();
        return true;
      },
    };
  }

  /** Whether no tensor is to be stepped. */
  get isFrozen(): boolean {
    return this.rows.list.every((row) => row?.isFrozen ?? true);
  }

  /** Whether a count would not hold one step more. */
  get isSpent(): boolean {
    return this.rows.list.some((row) => row?.isFrozen === false && row.count >= MOST_STEPS);
  }

  /** Forgets a tensor that is no group's any more. */
  forget(tensor: RunTensor): void {
    this.rows.remove(tensor);
    this.tensors[tensor.index] = undefined;
    this.#freeIndices.push(tensor.index);
    this.control?.forget(tensor.index);
  }

  /**
   * Steps tensors where they lie now.
   *
   * @param changes the tensors and where they are to lie.
   * @throws OptimizerError as `Stage.prepareRebind`; nothing has changed then.
   */
  rebind(changes: readonly { readonly entry: RunTensor; readonly parameter: ResolvedParameter }[]): void {
    const moved = new Map<number, PlanTensor<GPUBuffer>>();
    // What is frozen has no place in the generation.
    for (const { entry, parameter } of changes)
      if (!this.rows.isFrozen(entry)) moved.set(entry.index, entry.part.planTensor(entry, parameter));
    this.#generation.prepareRebind(moved)();
    for (const { entry, parameter } of changes) entry.parameter = parameter;
    this.#version++;
  }

  /** Encodes all that binds what steps need, with nothing to do. */
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
    this.resources.overflows.destroy();
    this.ring.destroy();
    this.#idleRow.destroy();
    this.lossScaleBuffer.destroy();
  }

  /** A part as its generation sees it: without what is frozen. */
  #viewOf(part: GroupPart): PartView {
    const isStepped = (tensor: RunTensor) => this.rows.list[tensor.row]?.isFrozen !== true;
    const tensors = part.tensors.filter(isStepped).map((tensor) => part.planTensor(tensor));
    return { layout: part.layout, tensors, label: part.label, part };
  }

  #take(part: GroupPart): void {
    const [first] = part.tensors;
    if (first) this.rows.fill(first.row, part, part.tensors);
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

function createLossScale(device: GPUDevice, lossScale: number, label: string): GPUBuffer {
  // Of the size that a uniform of a vec4 has.
  return makeFilled(
    device,
    `${label} loss scale`,
    BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_SRC,
    Float32Array.of(lossScale, 0, 0, 0),
  );
}
