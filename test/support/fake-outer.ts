import { createHash } from 'node:crypto';
import type { OuterPeer } from '../../src/outer/outer-peer.js';
import type { DeltaCodec, InspectedDelta } from '../../src/fleet/round-deltas.js';
import { OptimizerError } from '../../src/errors.js';

interface FakeDelta {
  readonly round: number;
  readonly peer: string | undefined;
  readonly samples: number;
  /** As text, which JSON has no NaN for. */
  readonly values: readonly string[];
}

/**
 * An outer optimizer of whole numbers that adds deltas up where a real one takes their mean: the anchor counts, per element, steps that are
 * in it. So whoever counts a step twice, or loses one, is told from who does not.
 */
export class FakeOuter implements OuterPeer {
  round = 0;
  anchor: number[];
  weights: number[];
  /** Checksums of what was applied, round by round: peers of one fleet have the same. */
  readonly history = new Map<number, string>();
  /** Of the last delta. */
  samples = 0;
  /** Weights at the last delta or round. */
  #base: readonly number[];
  #given: string | undefined;

  constructor(elementCount = 4) {
    this.anchor = Array.from({ length: elementCount }, () => 0);
    this.weights = [...this.anchor];
    this.#base = [...this.anchor];
  }

  get lengths(): Record<string, number> {
    return { w: this.anchor.length };
  }

  /** Makes some steps at one element. */
  step(element = 0, count = 1): void {
    this.weights[element]! += count;
  }

  async delta({ samples = 1, peer }: { samples?: number; peer?: string } = {}): Promise<
    Uint8Array<ArrayBuffer>
  > {
    const values = this.weights.map((weight, k) => String(weight - this.anchor[k]!));
    const bytes = encode({ round: this.round, peer, samples, values } satisfies FakeDelta);
    this.#given = checksumOf(bytes);
    this.samples = samples;
    this.#base = [...this.weights];
    return bytes;
  }

  async apply(given: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const list = given instanceof Uint8Array ? [given] : given;
    const deltas = list.map((bytes) => decode(bytes));
    if (deltas.length === 0) throw new OptimizerError('invalid-config', 'there is no delta.');
    for (const { round, values } of deltas) {
      if (round !== this.round)
        throw new OptimizerError('invalid-config', `round ${round} instead of ${this.round}.`);
      if (values.length !== this.anchor.length) throw new OptimizerError('invalid-config', 'another model.');
    }
    const checksums = list.map(checksumOf).toSorted();
    const counted = this.#given !== undefined && checksums.includes(this.#given) ? this.#base : this.anchor;
    const progress = this.weights.map((weight, k) => weight - counted[k]!);
    this.anchor = this.anchor.map((value, k) =>
      deltas.reduce((sum, { values }) => sum + Number(values[k]), value),
    );
    this.#land(progress);
    this.history.set(this.round, checksums.join());
    this.round += 1;
  }

  async snapshot(): Promise<Uint8Array<ArrayBuffer>> {
    return encode({ round: this.round, anchor: this.anchor });
  }

  async loadSnapshot(bytes: Uint8Array, { keepProgress = false, isDeltaTaken = true } = {}): Promise<void> {
    const { round, anchor } = JSON.parse(new TextDecoder().decode(bytes)) as {
      round: number;
      anchor: number[];
    };
    if (anchor.length !== this.anchor.length) throw new OptimizerError('invalid-config', 'another model.');
    const counted = isDeltaTaken ? this.#base : this.anchor;
    const progress = this.weights.map((weight, k) => (keepProgress ? weight - counted[k]! : 0));
    this.anchor = anchor;
    this.round = round;
    this.#land(progress);
  }

  #land(progress: readonly number[]): void {
    this.weights = this.anchor.map((value, k) => value + progress[k]!);
    this.#base = [...this.anchor];
    this.#given = undefined;
  }
}

/** Reads such a delta, as `inspectDelta` does real ones. */
export async function inspectFake(bytes: Uint8Array): Promise<InspectedDelta> {
  const { round, peer, samples, values } = decode(bytes);
  const numbers = values.map(Number);
  const norm = Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));
  return { round, peer, samples, lengths: { w: values.length }, norm, checksum: checksumOf(bytes) };
}

/** Reads and makes such deltas. */
export const fakeCodec: DeltaCodec = {
  inspect: inspectFake,
  zero: async (round, { w = 0 }) =>
    encode({ round, peer: undefined, samples: 1, values: Array.from({ length: w }, () => '0') }),
};

function decode(bytes: Uint8Array): FakeDelta {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as FakeDelta;
  } catch (cause) {
    throw new OptimizerError('invalid-config', `${bytes.byteLength} bytes are no delta.`, { cause });
  }
}

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function checksumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
