import { type DType, resolveCodec } from '../../codecs/weight-dtype.js';
import { OptimizerError, quote } from '../../errors.js';
import { float32, flushed } from '../../reference/arithmetic/arithmetic.js';
import { ReferenceOptimizer } from '../../reference/reference-optimizer.js';
import type { Rule } from '../../rules/rule.js';
import { meanOf, readDeltas } from '../deltas/average-deltas.js';
import { CallQueue } from '../call-queue.js';
import { type DeltaFormat, complaintAbout, decodeValues, encodeValues, isLossy } from '../deltas/compress.js';
import { contributorsOf, refuseDelta, writeDelta } from '../deltas/delta.js';
import { explainSnapshot } from '../explain-snapshot.js';
import {
  type OuterOptions,
  resolveDeltaOptions,
  resolveOuterOptions,
  resolveSnapshotOptions,
} from '../options.js';
import type { DeltaOptions, OuterPeer, SnapshotOptions } from '../outer-peer.js';
import { type ReferenceSnapshot, readSnapshot, writeSnapshot } from './reference-snapshot.js';
import { rejectUnfit, togetherInOrder } from '../deltas/together.js';

type Floats = Float32Array<ArrayBuffer>;

/** A parameter on the CPU. */
export interface ReferenceOuterParameter {
  readonly name: string;
  /** The weights, which an optimizer steps in place; changed by `apply` and `loadSnapshot`. */
  readonly data: Floats;
  /** How they are kept: `'f16'` and `'bf16'` round them whenever they are stored. Default `'f32'`. */
  readonly dtype?: DType;
}

/** What belongs to a parameter; names as in `shaders/stages/outer`. */
interface Tensor {
  readonly name: string;
  readonly data: Floats;
  readonly anchor: Floats;
  readonly base: Floats;
  readonly pending: Floats;
  readonly round: (value: number) => number;
}

/**
 * `OuterOptimizer` on the CPU, over arrays: the twin that its kernels are tested against, in float32, operation by operation, and a peer that
 * needs no GPU, as a server that keeps the anchor and hands out snapshots. Deltas and snapshots are the same files.
 *
 * @example
 * const server = new ReferenceOuterOptimizer([{ name: 'w', data: weights }], { every: 50 });
 * await server.apply(deltas);
 * const forLateJoiners = await server.snapshot();
 */
export class ReferenceOuterOptimizer implements OuterPeer {
  readonly #queue = new CallQueue();
  readonly #tensors: readonly Tensor[];
  readonly #rule: Rule;
  #anchor: ReferenceOptimizer;
  readonly #format: DeltaFormat;
  #given: string | undefined;
  /** The bytes of what was taken in this round. */
  #taken: Map<string, Uint8Array<ArrayBuffer>> | undefined;

  /**
   * @param params the weights as they are become the anchor.
   * @param options as of `OuterOptimizer.create`; `every` is for the caller to go by.
   * @throws OptimizerError `invalid-config`, `invalid-parameter`, `invalid-option`.
   */
  constructor(params: readonly ReferenceOuterParameter[], options: OuterOptions) {
    const { rule, format } = resolveOuterOptions(options, 'new ReferenceOuterOptimizer()');
    this.#format = format;
    this.#tensors = params.map(({ name, data, dtype = 'f32' }) => {
      if (!((data as unknown) instanceof Float32Array)) {
        throw new OptimizerError(
          'invalid-parameter',
          `parameter ${quote(name)}: data is ${quote(data)}; give a Float32Array.`,
        );
      }
      const codec = resolveCodec(dtype, 'dtype', `parameter ${quote(name)}`);
      const round = (value: number): number => codec?.round?.(value) ?? value;
      return {
        name,
        data,
        round,
        anchor: data.slice(),
        base: data.slice(),
        pending: new Float32Array(data.length),
      };
    });
    this.#rule = rule;
    this.#anchor = this.#makeAnchor(({ anchor }) => anchor);
  }

  get round(): number {
    return this.#anchor.stateDict().step;
  }

  /** A copy of the anchor of a parameter. @throws OptimizerError `invalid-parameter` for an unknown name. */
  readAnchor(name: string): Floats {
    return this.#anchor.readParam(name) as Floats;
  }

  async delta(options?: DeltaOptions): Promise<Uint8Array<ArrayBuffer>> {
    const call = 'ReferenceOuterOptimizer.delta()';
    const { samples, peer } = resolveDeltaOptions(options, call);
    return this.#queue.run(async () => {
      const values = this.#take();
      for (const { name, data } of this.#tensors) {
        if (!complaintAbout(this.#format, values.get(name)!, data.length)) continue;
        this.#forget();
        refuseDelta(
          call,
          `parameter ${quote(name)} has weights that are not finite; load a snapshot of another peer by loadSnapshot().`,
        );
      }
      const { compress } = this.#format;
      const about = {
        round: this.round,
        samples,
        ...(peer !== undefined && { peer }),
        compress,
        lengths: this.lengths,
      };
      const { bytes, checksum } = await writeDelta(about, this.#format, values);
      this.#given = checksum;
      return bytes;
    });
  }

  async apply(deltas: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const call = 'ReferenceOuterOptimizer.apply()';
    return this.#queue.run(async () => {
      const all = togetherInOrder(await readDeltas(deltas, call), call);
      rejectUnfit(all, this, call);
      if (!contributorsOf(all).some(({ checksum }) => checksum === this.#given)) this.#keep();
      this.#anchor.step(Object.fromEntries(this.#tensors.map(({ name }) => [name, meanOf(all, name)])));
      this.#land(true);
    });
  }

  async snapshot(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#queue.run(() => {
      const weights = new Map(this.#tensors.map(({ name, anchor }) => [name, anchor.slice()]));
      return writeSnapshot({ dict: this.#anchor.stateDict(), weights });
    });
  }

  async loadSnapshot(snapshot: Uint8Array<ArrayBuffer>, options?: SnapshotOptions): Promise<void> {
    const call = 'ReferenceOuterOptimizer.loadSnapshot()';
    const { keepProgress, isDeltaTaken } = resolveSnapshotOptions(options, call);
    return this.#queue.run(async () => {
      const { dict, weights } = await explainSnapshot(call, () => this.#readSnapshot(snapshot, call));
      if (!isDeltaTaken) this.#keep();
      for (const { name, anchor, pending } of this.#tensors) {
        anchor.set(weights.get(name)!);
        pending.fill(0);
      }
      this.#anchor = this.#makeAnchor(({ anchor }) => anchor);
      this.#anchor.loadStateDict(dict);
      this.#land(keepProgress);
    });
  }

  /** Reads a snapshot and checks that it fits, changing nothing. */
  async #readSnapshot(bytes: Uint8Array<ArrayBuffer>, call: string): Promise<ReferenceSnapshot> {
    const snapshot = await readSnapshot(bytes, call);
    const { dict, weights } = snapshot;
    for (const { name, anchor } of this.#tensors) {
      const given = weights.get(name);
      if (given?.length === anchor.length) continue;
      const what = given ? `${given.length} weights` : 'no weights';
      throw new OptimizerError(
        'invalid-state-dict',
        `the snapshot has ${what} of ${quote(name)}, which has ${anchor.length}.`,
      );
    }
    // Of weights that somebody else writes, it would not know.
    this.#makeAnchor(({ name }) => weights.get(name)!.slice()).loadStateDict(dict);
    return snapshot;
  }

  #makeAnchor(dataOf: (tensor: Tensor) => Floats): ReferenceOptimizer {
    const params = this.#tensors.map((tensor) => ({ name: tensor.name, data: dataOf(tensor) }));
    return new ReferenceOptimizer({ rule: this.#rule, params, precision: 'f32' });
  }

  /** How many elements each parameter has, by its name. */
  get lengths(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#tensors.map(({ name, data }) => [name, data.length]));
  }

  #take(): Map<string, Uint8Array<ArrayBuffer>> {
    const { add, sub } = float32;
    this.#keep();
    const hasFeedback = isLossy(this.#format);
    const values = this.#tensors.map(({ name, data, anchor, base, pending }) => {
      for (const [k, weight] of data.entries()) {
        const taken = sub(anchor[k]!, weight);
        pending[k] = hasFeedback ? add(taken, pending[k]!) : taken;
      }
      base.set(data);
      return [name, encodeValues(this.#format, pending)] as const;
    });
    this.#taken = new Map(values);
    this.#given = undefined;
    if (hasFeedback) this.#addPacked(-1);
    return this.#taken;
  }

  /** What was taken, and not by others, is the peer's again. */
  #keep(): void {
    if (!this.#taken) return;
    const { sub } = float32;
    if (isLossy(this.#format)) this.#addPacked(1);
    for (const { anchor, base, pending } of this.#tensors) {
      for (const [k, value] of pending.entries()) pending[k] = sub(value, sub(anchor[k]!, base[k]!));
      base.set(anchor);
    }
    this.#taken = undefined;
  }

  #addPacked(factor: number): void {
    const { add, mul } = float32;
    for (const { name, pending } of this.#tensors) {
      const packed = decodeValues(this.#format, this.#taken!.get(name)!, pending.length);
      for (const [k, value] of pending.entries()) pending[k] = add(value, mul(factor, packed[k]!));
    }
  }

  #forget(): void {
    this.#taken = undefined;
    for (const { anchor, base, pending } of this.#tensors) {
      base.set(anchor);
      pending.fill(0);
    }
  }

  #land(keepsProgress: boolean): void {
    const { add, sub } = float32;
    this.#taken = undefined;
    this.#given = undefined;
    for (const { data, anchor, base, round } of this.#tensors) {
      for (const [k, weight] of data.entries()) {
        const progress = !keepsProgress || Object.is(weight, base[k]) ? 0 : sub(weight, base[k]!);
        const landed = round(anchor[k]!);
        base[k] = landed;
        data[k] = flushed(progress) === 0 ? landed : round(add(landed, progress));
      }
    }
  }
}
