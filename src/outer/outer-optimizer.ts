import { loadCheckpoint } from '../checkpoint/load-checkpoint.js';
import { saveCheckpoint } from '../checkpoint/save.js';
import { UsageGuard } from '../engine/guard.js';
import { insidesOf } from '../engine/insides.js';
import type { Insides } from '../engine/session.js';
import type { Optimizer } from '../engine/optimizer.js';
import { OptimizerError, quote } from '../errors.js';
import { noticeLostDevice } from '../gpu/device.js';
import type { Rule } from '../rules/rule.js';
import { readDeltas } from './deltas/average-deltas.js';
import { CallQueue } from './call-queue.js';
import { complaintAbout } from './deltas/compress.js';
import { contributorsOf, refuseDelta, writeDelta } from './deltas/delta.js';
import { explainSnapshot } from './explain-snapshot.js';
import {
  type OuterOptions,
  type ResolvedOuterOptions,
  resolveDeltaOptions,
  resolveOuterOptions,
  resolveSnapshotOptions,
} from './options.js';
import type { DeltaOptions, OuterPeer, SnapshotOptions } from './outer-peer.js';
import { OuterRun } from './outer-run.js';
import { rejectUnfit, togetherInOrder } from './deltas/together.js';

/**
 * The outer step of training on several machines (DiLoCo, Douillard et al. 2023, arXiv 2311.08105): each peer trains weights of its own; every
 * some hundred steps all give each other how far they have come from a common anchor, Δ = anchor − weights; a rule steps the anchor by the
 * mean of these, and each goes on from there. State of the peers' own optimizers stays as it is.
 *
 * Anchor, outer state and what compression leaves over are on the GPU: three float32 per element, four where deltas are
 * compressed, the packed delta, and the rule's state. Peers that apply the same deltas have the same bits, on adapters that round alike;
 * others may differ in the last bits, which {@link snapshot} makes the same again.
 *
 * Calls take effect in their order, and need not be awaited one by one. Steps that are made between {@link delta} and the moment when
 * {@link apply} resolves are kept, on top of the new anchor.
 *
 * @example
 * const outer = await OuterOptimizer.create(optimizer, { every: 50, compress: 'int8' });
 * for (;;) {
 *   backward();
 *   optimizer.step();
 *   if (outer.isDue) await outer.apply([await outer.delta(), ...deltasOfOthers]);
 * }
 */
export class OuterOptimizer implements OuterPeer {
  readonly #guard: UsageGuard;
  readonly #queue = new CallQueue();
  readonly #mappingCount: number;
  /** The checksum of the delta that others may have of this round. */
  #given: string | undefined;
  #stepsAtRound: number;
  /** A snapshot that was loaded, and whose anchor is not in place of the weights yet. */
  #restart: Required<SnapshotOptions> | undefined;

  private constructor(
    private readonly insides: Insides,
    private readonly run: OuterRun,
    private readonly options: ResolvedOuterOptions,
  ) {
    const { device, log, mappingCount } = insides.session;
    this.#guard = new UsageGuard(device);
    this.#mappingCount = mappingCount;
    this.#stepsAtRound = log.asked;
  }

  /**
   * Begins with the weights as they are as the anchor: all peers begin with the same ones, or load a {@link snapshot} of one of them.
   *
   * @param optimizer of weights in whatever dtype, with `masterWeights` or without. Its parameters must stay: after `addGroup`, `remove` or
   *   `mapRows`, make a new one. Those that are frozen stay as they are, here too; let all peers freeze the same.
   * @param options see {@link OuterOptions}.
   * @throws OptimizerError `invalid-config`, `invalid-option`; `out-of-memory`, `device-lost`; nothing is left of it then.
   */
  static async create<R extends Rule>(
    optimizer: Optimizer<R>,
    options: OuterOptions,
  ): Promise<OuterOptimizer> {
    const call = 'OuterOptimizer.create()';
    const insides = insidesOf(optimizer, call);
    const resolved = resolveOuterOptions(options, call);
    insides.session.guard.checkTraining(call);
    await noticeLostDevice(insides.session.device);
    const run = await OuterRun.create(insides, resolved, call);
    const outer = new OuterOptimizer(insides, run, resolved);
    try {
      // The optimizer may have changed meanwhile.
      outer.#check(call);
      return outer;
    } catch (error) {
      outer.destroy();
      throw error;
    }
  }

  /** Rounds that were applied: the number of the one that is under way. A snapshot that was loaded says its own. */
  get round(): number {
    return insidesOf(this.run.anchor, 'round').session.log.applied;
  }

  /** How many elements each parameter has, by its name. */
  get lengths(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.run.tensors.map(({ name, elementCount }) => [name, elementCount]));
  }

  /** Steps that the optimizer has made since the last round was applied. */
  get stepCount(): number {
    const { asked } = this.insides.session.log;
    // A state dict that was loaded may say fewer.
    this.#stepsAtRound = Math.min(this.#stepsAtRound, asked);
    return asked - this.#stepsAtRound;
  }

  /** Whether `every` steps have been made since the last round was applied. */
  get isDue(): boolean {
    return this.stepCount >= this.options.every;
  }

  /** The optimizer that steps the anchor: its learning rate may be set, its state and memory read. Do not step or destroy it. */
  get anchor(): Optimizer {
    return this.run.anchor;
  }

  /**
   * How far the weights have come from the anchor, as bytes for others: a file of safetensors with a tensor `delta.<name>` per parameter, and a
   * header with round, version, names and a checksum. Weights stay as they are. Called again in the same round, it takes the place of
   * the one before, which nobody must apply then.
   *
   * It sees the weights as they are at the call, unless calls of this class are under way: then as they are when these have ended.
   *
   * @param options see {@link DeltaOptions}.
   * @throws OptimizerError `invalid-delta` if weights are not finite: what is left over is forgotten then, and a snapshot of another peer
   *   helps; `invalid-config` between `eval()` and `train()`, and if parameters have come, gone or moved; `destroyed`, `device-lost`.
   */
  async delta(options?: DeltaOptions): Promise<Uint8Array<ArrayBuffer>> {
    const call = 'OuterOptimizer.delta()';
    this.#check(call);
    const given = resolveDeltaOptions(options, call);
    return this.#settle(call, () => this.#take(given, call));
  }

  /**
   * Steps the anchor by the mean of deltas, weighted by their samples, and puts it in place of the weights. In which order they are given
   * does not matter. A peer whose own delta is not among them, or that gave none, keeps its progress: it goes into its next one.
   *
   * @param deltas of this round: what `delta()` of this and other peers gave, one at least; or one mean of `averageDeltas`.
   * @throws OptimizerError `invalid-delta` for what is cut, changed, of another round, model or version, given twice, or not finite; otherwise as
   *   {@link delta}. Nothing has changed then.
   */
  async apply(deltas: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const call = 'OuterOptimizer.apply()';
    this.#check(call);
    // As they are at the call, whoever writes to them next.
    const copies = Array.isArray(deltas) ? deltas.map(copyOf) : copyOf(deltas);
    return this.#settle(call, () => this.#apply(copies, call));
  }

  /**
   * All that a late joiner needs, as bytes: anchor, state and count of the outer rule. It is a checkpoint of {@link anchor}, as `saveCheckpoint`
   * writes it.
   *
   * @throws OptimizerError `out-of-memory`, `device-lost`, `destroyed`.
   */
  async snapshot(): Promise<Uint8Array<ArrayBuffer>> {
    const call = 'OuterOptimizer.snapshot()';
    this.#check(call);
    return this.#settle(call, async () => (await saveCheckpoint(this.anchor, 'bytes')).bytes);
  }

  /**
   * Goes on from another peer's {@link snapshot}: anchor, outer state and round are its own, and weights become the anchor. State of the
   * optimizer stays. What compression had left over is forgotten.
   *
   * @param options see {@link SnapshotOptions}.
   * @throws OptimizerError as `loadCheckpoint`; otherwise as {@link delta}. Nothing has changed then, but if `eval()` was called meanwhile: then
   *   weights become the anchor with the next call.
   */
  async loadSnapshot(snapshot: Uint8Array, options?: SnapshotOptions): Promise<void> {
    const call = 'OuterOptimizer.loadSnapshot()';
    this.#check(call);
    const { keepProgress, isDeltaTaken } = resolveSnapshotOptions(options, call);
    if (!(snapshot instanceof Uint8Array)) {
      const given = `the snapshot is ${quote(snapshot)}; give what snapshot() returned.`;
      throw new OptimizerError('invalid-config', `${call}: ${given}`);
    }
    const copy = snapshot.slice();
    return this.#settle(call, async () => {
      this.#check(call);
      if (this.#restart) await this.#landRestart(call);
      if (!isDeltaTaken) await this.run.holdAnchor(call);
      await explainSnapshot(call, () => loadCheckpoint(this.anchor, copy));
      this.#restart = { keepProgress, isDeltaTaken };
      await this.#landRestart(call);
    });
  }

  /** Frees all that is its own; the optimizer stays the caller's. What is under way ends with `destroyed`. May be called twice. */
  destroy(): void {
    if (this.#guard.destroy()) this.run.destroy();
  }

  async #take(
    { samples, peer }: { samples: number; peer?: string },
    call: string,
  ): Promise<Uint8Array<ArrayBuffer>> {
    // At the call, if it can be.
    if (this.#restart) await this.#landRestart(call);
    if (!this.run.isCurrent) await this.run.refresh();
    this.#check(call);
    const { run, round } = this;
    const { format } = this.options;
    const values = await run.take(call);
    for (const { name, elementCount } of run.tensors) {
      if (!complaintAbout(format, values.get(name)!, elementCount)) continue;
      await run.forget(call);
      refuseDelta(
        call,
        `parameter ${quote(name)} has weights that are not finite; load a snapshot of another peer by loadSnapshot().`,
      );
    }
    const about = { round, samples, ...(peer !== undefined && { peer }), compress: format.compress };
    const { bytes, checksum } = await writeDelta({ ...about, lengths: this.lengths }, format, values);
    this.#given = checksum;
    return bytes;
  }

  async #apply(given: unknown, call: string): Promise<void> {
    if (this.#restart) await this.#landRestart(call);
    const deltas = togetherInOrder(await readDeltas(given, call), call);
    rejectUnfit(deltas, this, call);
    const { run } = this;
    const packed: Parameters<OuterRun['apply']>[0][number][] = [];
    for (const delta of deltas) packed.push({ delta, packing: await run.packingOf(delta.format, call) });
    await run.refresh();
    this.#check(call);
    if (run.isFrozen) {
      throw new OptimizerError(
        'invalid-config',
        `${call}: all parameters are frozen; unfreeze() some of them first.`,
      );
    }
    const isAmong = contributorsOf(deltas).some(({ checksum }) => checksum === this.#given);
    const applied = run.apply(packed, isAmong, call);
    this.#beginRound();
    await applied;
  }

  /** Puts the anchor of a snapshot in place of the weights; where these were not those that train, the next call does. */
  async #landRestart(call: string): Promise<void> {
    await this.run.refresh();
    this.#check(call);
    await this.run.restart(this.#restart!, call);
    this.#restart = undefined;
    this.#beginRound();
  }

  #beginRound(): void {
    this.#given = undefined;
    this.#stepsAtRound = this.insides.session.log.asked;
  }

  /** @throws OptimizerError unless it and the optimizer may be used, and have the same parameters as at first. */
  #check(call: string): void {
    this.#guard.check(call);
    const { session, run } = this.insides;
    session.guard.checkTraining(call);
    const { tensors } = this.run;
    const isSame =
      session.mappingCount === this.#mappingCount &&
      run.parts.reduce((count, part) => count + part.tensors.length, 0) === tensors.length &&
      tensors.every(({ tensor, name }) => session.names.get(name) === tensor);
    if (isSame) return;
    throw new OptimizerError(
      'invalid-config',
      `${call}: the optimizer's parameters have come, gone or moved since; create a new OuterOptimizer, on all peers.`,
    );
  }

  #settle<T>(call: string, run: () => Promise<T>): Promise<T> {
    return this.#guard.settle(call, this.#queue.run(run));
  }
}

const copyOf = (bytes: unknown): unknown => (bytes instanceof Uint8Array ? bytes.slice() : bytes);
