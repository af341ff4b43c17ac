import type { Insides } from '../engine/session.js';
import { Optimizer } from '../engine/optimizer.js';
import type { RunTensor } from '../engine/run/group-part.js';
import { compileAll } from '../gpu/pipelines.js';
import { Reader } from '../gpu/copies/readback.js';
import { type Remedies, captureErrors, refusalError } from '../gpu/refusal.js';
import { ELEMENT_BYTE_LENGTH, type PlanTensor } from '../plan/pieces.js';
import { type DeltaFormat, byteLengthOf } from './deltas/compress.js';
import type { Delta } from './deltas/delta.js';
import { type ExactCopies, planExactCopies } from './memory/exact-copies.js';
import type { ResolvedOuterOptions } from './options.js';
import { OuterMemory } from './memory/outer-memory.js';
import type { Packing } from './memory/packing.js';
import { placeTensors } from './memory/places.js';
import type { SnapshotOptions } from './outer-peer.js';
import { copySlabs, floatRanges } from './memory/slabs.js';
import { shareOf } from './deltas/together.js';
import { type WeightPasses, planWeightPasses } from './memory/weight-passes.js';

/** A parameter, as it was when the outer optimizer was made. */
export interface OuterTensor {
  readonly tensor: RunTensor;
  readonly name: string;
  readonly elementCount: number;
}

const REMEDIES: Remedies = {
  shortage: 'Free memory; create the outer optimizer anew, from a snapshot.',
  rejection: 'Give an optimizer whose buffers are neither destroyed nor mapped.',
};

/** What an outer optimizer does on the GPU: all that it is asked for is submitted before a method returns its promise. */
export class OuterRun {
  readonly #reader: Reader;
  #passes: WeightPasses | undefined;
  /** Of weights that are kept more exactly than their buffers show. */
  #exact: ExactCopies | undefined;
  /** The version of the optimizer's run that the passes are for. */
  #version = -1;
  /** Names of parameters that rest. */
  #frozen: readonly string[] = [];
  /** Whether what is pending was taken from the weights in this round. */
  #isTaken = false;

  private constructor(
    private readonly insides: Insides,
    /** Steps the anchor. */
    readonly anchor: Optimizer,
    private readonly memory: OuterMemory,
    readonly tensors: readonly OuterTensor[],
    private readonly label: string,
  ) {
    this.#reader = new Reader(insides.session.device, label);
  }

  /** @throws OptimizerError of the rule, `out-of-memory`, `device-lost`; nothing is left of it then. */
  static async create(
    insides: Insides,
    { rule, format, label }: ResolvedOuterOptions,
    call: string,
  ): Promise<OuterRun> {
    const { device, facts } = insides.run.resources;
    const tensors = insides.run.parts.flatMap((part) =>
      part.tensors.map((tensor): OuterTensor => {
        const { name, elementCount } = tensor.parameter;
        return { tensor, name, elementCount };
      }),
    );
    const places = placeTensors(
      tensors.map(({ elementCount }) => elementCount),
      device.limits,
    );
    const isExact = tensors.some(({ tensor }) => tensor.part.layout.masters);
    const memory = await OuterMemory.create({ device, facts }, places, format, isExact, label, call);
    let run: OuterRun | undefined;
    try {
      const anchor = await Optimizer.create(device, {
        rule,
        label: `${label} anchor`,
        params: tensors.map(({ name, tensor: { parameter } }, k) => ({
          name,
          data: bindings(floatRanges(memory.anchor, places.ofTensor[k]!)),
          grad: bindings(floatRanges(memory.mean, places.ofTensor[k]!)),
          ...(parameter.shape && { shape: parameter.shape }),
        })),
      });
      run = new OuterRun(insides, anchor, memory, tensors, label);
      await run.refresh();
      await run.#submit(call, (encoder) => run!.#encode(encoder, 'found'));
      return run;
    } catch (error) {
      if (run) run.destroy();
      else memory.destroy();
      throw error;
    }
  }

  /** Whether all parameters rest. */
  get isFrozen(): boolean {
    return this.#frozen.length === this.tensors.length;
  }

  /** Whether what it does is made for the weights as they lie now. */
  get isCurrent(): boolean {
    return this.#version === this.insides.run.version;
  }

  /** Makes it so. @throws OptimizerError `out-of-memory`, `device-lost`. */
  async refresh(): Promise<void> {
    const { run, session } = this.insides;
    while (!this.isCurrent) {
      const { version } = run;
      const { label, memory } = this;
      const planned = planWeightPasses(
        run.resources,
        this.#planTensors(),
        () => memory,
        memory.hasFeedback,
        label,
      );
      const exact = this.#planExact();
      await compileAll(session.device, [...planned.sources, ...(exact?.sources ?? [])]);
      if (run.version !== version) continue;
      this.#destroyPasses();
      const { refusal } = captureErrors(session.device, () => {
        this.#passes = planned.make();
        this.#exact = exact?.make();
      });
      this.#frozen = this.tensors.filter(({ tensor }) => run.rows.isFrozen(tensor)).map(({ name }) => name);
      this.#version = version;
      const met = await refusal;
      if (met) throw refusalError(session.device, met, 'OuterOptimizer', REMEDIES);
    }
  }

  /** Takes what the weights have come, in place of what was taken before in this round. @returns the bytes of each parameter. */
  async take(call: string): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const { memory, tensors } = this;
    const { own } = memory;
    let read: Promise<ArrayBuffer[]> | undefined;
    const submitted = this.#submit(
      call,
      (encoder) => {
        if (this.#isTaken) memory.encodeKeeping(encoder);
        // Of what rests, nothing is taken.
        if (!memory.hasFeedback) for (const slab of memory.pending) encoder.clearBuffer(slab);
        this.#encode(encoder, 'take');
        const pass = encoder.beginComputePass({ label: `${this.label} pack` });
        own.encodePack(pass);
        own.encodeTaking(pass, false);
        pass.end();
      },
      () => {
        const ranges = tensors.map((_, k) => own.ranges(k));
        read = this.#reader.read(ranges, 'the delta');
      },
    );
    this.#isTaken = true;
    const [, buffers] = await Promise.all([submitted, read!]);
    return new Map(
      tensors.map(({ name, elementCount }, k) => [
        name,
        new Uint8Array(buffers[k]!, 0, byteLengthOf(memory.format, elementCount)),
      ]),
    );
  }

  /** Forgets what was taken, and what was left over: none of it is a number. */
  async forget(call: string): Promise<void> {
    this.#isTaken = false;
    await this.#submit(call, (encoder) => {
      this.memory.encodeKeeping(encoder);
      this.memory.encodeForgetting(encoder);
    });
  }

  /** What reads deltas of a format. @throws OptimizerError `out-of-memory`, `device-lost`. */
  packingOf(format: DeltaFormat, call: string): Promise<Packing> {
    return this.memory.packingOf(format, call);
  }

  /**
   * Steps the anchor by a mean, and puts it in place of the weights.
   *
   * @param isAmong whether what was taken is among the deltas; else it is the peer's own again.
   * @throws what a schedule of the rule throws; nothing has changed then.
   */
  apply(
    deltas: readonly { readonly delta: Delta; readonly packing: Packing }[],
    isAmong: boolean,
    call: string,
  ): Promise<void> {
    const { memory, tensors, label } = this;
    const { device } = this.insides.session;
    const samples = deltas.reduce((sum, { delta }) => sum + delta.samples, 0);
    const isKept = this.#isTaken && !isAmong;
    const stepping = device.createCommandEncoder({ label: `${label} step` });
    this.anchor.encode(stepping, { skip: this.#frozen });
    this.#isTaken = false;
    return this.#submit(
      call,
      (encoder) => {
        if (isKept) memory.encodeKeeping(encoder);
        for (const slab of memory.mean) encoder.clearBuffer(slab);
      },
      () => {
        for (const { delta, packing } of deltas) {
          packing.write((tensor) => delta.values.get(tensors[tensor]!.name)!);
          packing.setFactor(shareOf(delta, samples));
          const adding = device.createCommandEncoder({ label: `${label} add` });
          const pass = adding.beginComputePass({ label: `${label} add` });
          packing.encodeAdding(pass);
          pass.end();
          device.queue.submit([adding.finish()]);
        }
        this.#encode(stepping, 'lift', 'land');
        device.queue.submit([stepping.finish()]);
      },
    );
  }

  /** Before the anchor becomes another one: what it is stays where means are made. */
  async holdAnchor(call: string): Promise<void> {
    const { anchor, mean } = this.memory;
    await this.#submit(call, (encoder) => copySlabs(encoder, anchor, mean));
  }

  /** Puts the anchor in place of the weights, after it has become another one; what was taken, and is not in it, is the peer's again. */
  async restart({ keepProgress, isDeltaTaken }: Required<SnapshotOptions>, call: string): Promise<void> {
    const { memory } = this;
    const isKept = this.#isTaken && !isDeltaTaken;
    this.#isTaken = false;
    await this.#submit(call, (encoder) => {
      if (isKept) copySlabs(encoder, memory.mean, memory.base);
      memory.encodeForgetting(encoder);
      this.#encode(encoder, keepProgress ? 'lift' : 'drop', 'land');
    });
  }

  destroy(): void {
    this.anchor.destroy();
    this.memory.destroy();
    this.#reader.destroy();
    this.#destroyPasses();
  }

  /** Weights as they lie, with the places of their numbers; those that rest stay as they are. */
  #planTensors(): PlanTensor<GPUBuffer>[] {
    const { run } = this.insides;
    return this.tensors.flatMap(({ tensor }, k): PlanTensor<GPUBuffer>[] => {
      if (run.rows.isFrozen(tensor)) return [];
      const state = this.memory.places.ofTensor[k]!;
      if (tensor.part.layout.masters) {
        const data = floatRanges(this.memory.exact!, state).map(({ byteLength, ...range }) => ({
          ...range,
          elementCount: byteLength / ELEMENT_BYTE_LENGTH,
        }));
        return [{ index: tensor.index, row: 0, data, state }];
      }
      const { data, rowLength } = tensor.parameter;
      return [{ index: tensor.index, row: 0, data, state, ...(rowLength !== undefined && { rowLength }) }];
    });
  }

  /** Copies of weights that rest are neither read nor written. */
  #planExact(): ReturnType<typeof planExactCopies> | undefined {
    const { run } = this.insides;
    const tensors = this.tensors.flatMap(({ tensor }, k) =>
      tensor.part.layout.masters && !run.rows.isFrozen(tensor)
        ? [{ tensor, place: this.memory.places.ofTensor[k]! }]
        : [],
    );
    if (tensors.length === 0) return undefined;
    return planExactCopies(run.resources, tensors, this.memory.exact!, this.label);
  }

  #encode(encoder: GPUCommandEncoder, ...names: readonly (keyof WeightPasses)[]): void {
    this.#exact?.encodeLoading(encoder);
    const pass = encoder.beginComputePass({ label: `${this.label} ${names.join(', ')}` });
    for (const name of names) this.#passes![name].encode(pass);
    pass.end();
    if (names.includes('land')) this.#exact?.encodeStoring(encoder);
  }

  /** Submits at once. @returns once the device is known to have taken it. */
  async #submit(
    call: string,
    encode: (encoder: GPUCommandEncoder) => void,
    further?: () => void,
  ): Promise<void> {
    const { device } = this.insides.session;
    const { refusal } = captureErrors(device, () => {
      const encoder = device.createCommandEncoder({ label: `${this.label} ${call}` });
      encode(encoder);
      device.queue.submit([encoder.finish()]);
      further?.();
    });
    const met = await refusal;
    if (met) throw refusalError(device, met, call, REMEDIES);
  }

  #destroyPasses(): void {
    for (const pass of Object.values(this.#passes ?? {})) pass.destroy();
    this.#passes = undefined;
    this.#exact?.destroy();
    this.#exact = undefined;
  }
}

const bindings = (ranges: ReturnType<typeof floatRanges>): GPUBufferBinding[] =>
  ranges.map(({ buffer, byteOffset, byteLength }) => ({ buffer, offset: byteOffset, size: byteLength }));
