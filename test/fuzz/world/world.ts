import { readBuffer } from '../../../proof/read-buffer.js';
import { Random } from '../../../proof/random.js';
import { bitDifference } from '../../../proof/compare.js';
import type { OptimizerErrorCode, StateDict } from '../../../src/index.js';
import type { OptimizerPlan } from '../case/plans.js';
import { NO_ENCODER } from '../case/calls.js';
import type { Checkpoint } from './checkpoint.js';
import { Memory, type ModelBuffer, readPlaces } from './memory.js';
import type { Subject } from './subject.js';
import type { Command } from '../model/twin.js';
import { type Expected, Verdicts } from './verdicts.js';

/** What kind of work it is, as far as the order of submissions matters. */
export type WorkKind = 'step' | 'step that leaves out' | 'evaluation' | 'other';

interface Pending {
  readonly subject: Subject;
  readonly run: Command;
  readonly kind: WorkKind;
  /** Its place among all calls of the case. */
  readonly order: number;
}

interface OpenEncoder {
  readonly gpu: GPUCommandEncoder;
  readonly pending: Pending[];
}

/** Where the calls of a case are made: the device, the caller's buffers and encoders, and the optimizers with their models. */
export class World {
  readonly memory: Memory;
  readonly random: Random;
  readonly verdicts = new Verdicts();
  readonly subjects = new Map<number, Subject>();
  /** Dicts by number, once they are there. */
  readonly shelves = new Map<number, Promise<StateDict | undefined>>();
  isLost = false;
  /** Whether anything was encoded for later. */
  hasEncoded = false;
  /** Where steps that are timed write to. */
  readonly #times: GPUQuerySet;
  readonly #encoders = new Map<number, OpenEncoder>();
  #order = 0;

  constructor(
    readonly device: GPUDevice,
    { placeSeed, isAligned }: OptimizerPlan,
    /** Checkpoints by number, once they are there; they outlive a lost device. */
    readonly checkpoints: Map<number, Promise<Checkpoint | undefined>>,
  ) {
    this.random = new Random(placeSeed);
    this.memory = new Memory(device, isAligned);
    this.#times = device.createQuerySet({ label: 'step times', type: 'timestamp', count: 2 });
  }

  get timestampWrites(): GPUComputePassTimestampWrites {
    return { querySet: this.#times, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  }

  /** Destroys what the caller has. */
  destroy(): void {
    this.memory.destroy();
    this.#times.destroy();
  }

  /**
   * What a call is expected to end with.
   *
   * @param refusal the code that it has to be refused with, by the model.
   * @param others codes that it may be refused with as things go on.
   */
  expected<T>(
    refusal: OptimizerErrorCode | undefined,
    others: () => readonly (OptimizerErrorCode | undefined)[] = () => [],
  ): Expected<T> {
    return {
      isRefused: refusal !== undefined,
      codes: () => {
        const lost = this.isLost ? ('device-lost' as const) : undefined;
        return [refusal, ...others(), lost].filter((code) => code !== undefined);
      },
    };
  }

  /** Expects a promise to give what the model says, unless its subject ends first. */
  expectValue<T>(
    what: string,
    promise: Promise<T>,
    subject: Subject,
    refusal: OptimizerErrorCode | undefined,
    value: T | undefined,
  ): void {
    const base = this.expected<T>(refusal, () => [subject.refusal]);
    const isKnown = refusal === undefined && !this.isLost;
    this.verdicts.expect(what, promise, isKnown ? { ...base, value: value as T } : base);
  }

  /**
   * Makes a call that does something on the GPU, in an encoder or at once.
   *
   * @param call makes it.
   * @param note has the model note it.
   */
  act(
    what: string,
    subject: Subject,
    refusal: OptimizerErrorCode | undefined,
    encoder: number,
    call: (encoder: GPUCommandEncoder | undefined) => void,
    note: () => Command,
    kind: WorkKind = 'other',
  ): void {
    const open = encoder === NO_ENCODER ? undefined : this.#open(encoder);
    if (!this.verdicts.attempt(what, this.expected(refusal), () => call(open?.gpu))) return;
    const work = { subject, run: note(), kind, order: ++this.#order };
    if (open) open.pending.push(work);
    else done(work);
  }

  /** Whether an encoder has a change of weights that is not submitted yet. */
  hasPendingEvaluation(subject: Subject): boolean {
    return [...this.#encoders.values()].some(({ pending }) =>
      pending.some((each) => each.subject === subject && each.kind === 'evaluation'),
    );
  }

  /** Has the model follow what an optimizer did by itself since: groups that have joined. */
  notice(subject: Subject): void {
    for (const { moved } of subject.notice()) {
      subject.changes++;
      if (moved.length > 0) this.noteReshape(subject);
    }
  }

  /** Notes that state has moved: steps that were encoded before would change it where it was. */
  noteReshape(subject: Subject): void {
    subject.latestReshape = ++this.#order;
  }

  /** Notes that counts were set: steps that were encoded before are not to be submitted any more. */
  noteLoad(subject: Subject): void {
    subject.latestDivide = ++this.#order;
  }

  /**
   * Submits encoders together. What an optimizer encoded that is destroyed can only be dropped, and so is what its docs want
   * submitted earlier.
   */
  submit(encoders: readonly number[]): void {
    for (const subject of this.subjects.values()) this.notice(subject);
    const chosen: OpenEncoder[] = [];
    for (const k of encoders) {
      const open = this.#encoders.get(k);
      if (!open) continue;
      this.#encoders.delete(k);
      if (!open.pending.every((work) => maySubmit(work))) continue;
      for (const work of open.pending) done(work);
      chosen.push(open);
    }
    if (chosen.length > 0) this.device.queue.submit(chosen.map(({ gpu }) => gpu.finish()));
  }

  drop(encoder: number): void {
    this.#encoders.delete(encoder);
  }

  /** Holds all of the caller's buffers, and the loss scales, against the model. */
  async checkMemory(): Promise<void> {
    for (const buffer of this.memory.buffers) {
      if (buffer.hasPadding) continue;
      const got = new Float32Array((await readBuffer(this.device, buffer.gpu)).buffer);
      const differs = bitDifference(numbersIn(buffer, got), numbersIn(buffer, buffer.floats));
      if (differs) this.verdicts.fail(`the buffer ${buffer.gpu.label} at the end: ${differs}`);
    }
    for (const { arena, homes, isArenaDestroyed } of this.subjects.values()) {
      if (!arena || isArenaDestroyed) continue;
      for (const [tensor, [home]] of homes) {
        // One that came back lies elsewhere.
        if (!home!.grad[0]!.buffer.hasPadding) continue;
        const differs = bitDifference(await arena.readGrad(tensor.name), readPlaces(home!.grad));
        if (differs) this.verdicts.fail(`the gradient ${tensor.name} of the arena at the end: ${differs}`);
      }
    }
    for (const { optimizer, twin, refusal } of this.subjects.values()) {
      if (!optimizer || refusal) continue;
      const [got] = new Float32Array((await readBuffer(this.device, optimizer.lossScaleBuffer)).buffer);
      if (got !== twin.lossScale) this.verdicts.fail(`lossScaleBuffer has ${got}, want ${twin.lossScale}`);
    }
  }

  #open(k: number): OpenEncoder {
    let open = this.#encoders.get(k);
    if (!open) {
      this.hasEncoded = true;
      open = { gpu: this.device.createCommandEncoder({ label: `caller encoder ${k}` }), pending: [] };
      this.#encoders.set(k, open);
    }
    return open;
  }
}

/** What the words of a buffer stand for: NaN has any bits. */
function numbersIn({ codec }: ModelBuffer, words: Float32Array<ArrayBuffer>): Float32Array {
  if (!codec) return words;
  return codec.decode(words.slice().buffer, (words.byteLength * codec.blockLength) / codec.blockByteLength);
}

/** Has the model do what was submitted. */
function done({ subject, run, kind, order }: Pending): void {
  run();
  if (kind === 'step that leaves out') subject.latestDivide = Math.max(subject.latestDivide, order);
}

function maySubmit({ subject, kind, order }: Pending): boolean {
  if (subject.refusal) return false;
  const isStep = kind === 'step' || kind === 'step that leaves out';
  if (isStep && order < subject.latestReshape) return false;
  return !(isStep && subject.twin.countsOnGpu && order < subject.latestDivide);
}
