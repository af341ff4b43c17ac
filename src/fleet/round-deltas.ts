import { OptimizerError, quote } from '../errors.js';
import { type ScreenOptions, screenDeltas, sortedByPeer } from './screen.js';
import type { PostedDelta, RefusedDelta, TakenDelta } from './transport.js';

/** What is read of a delta's bytes, as `inspectDelta` does. */
export interface InspectedDelta {
  readonly round: number;
  readonly samples: number;
  readonly peer?: string | undefined;
  /** How many elements each parameter has. */
  readonly lengths: Readonly<Record<string, number>>;
  readonly norm: number;
  readonly checksum: string;
  /** Of a mean: the checksums of what it is of. Of another delta: its own, or nothing. */
  readonly contributors?: readonly { readonly checksum: string }[];
}

/** What reads deltas, and makes one. */
export interface DeltaCodec {
  /** Reads the header of a delta, and measures it. @throws OptimizerError for bytes that are none. */
  inspect(bytes: Uint8Array): Promise<InspectedDelta>;
  /** A delta of zeros, by nobody; the same bytes wherever it is made. */
  zero(round: number, lengths: InspectedDelta['lengths']): Promise<Uint8Array>;
}

/** A delta whose bytes are here. */
export interface ReceivedDelta extends TakenDelta {
  readonly bytes: Uint8Array;
  readonly norm: number;
  readonly samples: number;
}

/** A delta that was looked at: it is here, or it is not what this round can use, or nobody can tell, for its bytes are gone. */
interface LookedAt {
  readonly peer: string;
  readonly received?: ReceivedDelta;
  readonly unfit?: string;
  readonly gone?: string;
}

/** The deltas of one round, fetched and measured once each; a call of `sync()` has its own. */
export class RoundDeltas {
  readonly #seen = new Map<string, Promise<LookedAt>>();

  /**
   * @param lengths of this peer's parameters.
   * @param own this peer's delta, where it has one: its bytes are not fetched.
   */
  constructor(
    private readonly round: number,
    private readonly fetch: (id: string) => Promise<Uint8Array | undefined>,
    private readonly codec: DeltaCodec,
    private readonly lengths: InspectedDelta['lengths'],
    private readonly own: { readonly bytes: Uint8Array; readonly id?: string } | undefined,
  ) {}

  /** Which of these a round is to be closed with, and which are refused. */
  async judge(
    posted: readonly PostedDelta[],
    options: ScreenOptions,
  ): Promise<{ taken: ReceivedDelta[]; refused: RefusedDelta[] }> {
    const seen = await this.#lookAt(posted);
    return screened(seen, options);
  }

  /**
   * The deltas of a close, screened again: whoever closed the round may have been wrong, or lied. All peers get the same, for they have
   * the same list and the same bytes. Bytes that are there and differ from what was listed are refused: they differ for everybody.
   *
   * @returns nothing but the first whose bytes are gone, if there is one: others may have had them, and what they have applied cannot be left out.
   */
  async receive(
    taken: readonly TakenDelta[],
    options: ScreenOptions,
  ): Promise<{ taken: ReceivedDelta[]; refused: RefusedDelta[]; gone?: RefusedDelta }> {
    const seen = await this.#lookAt(taken);
    for (const { peer, gone } of seen) {
      if (gone !== undefined) return { taken: [], refused: [], gone: { peer, reason: gone } };
    }
    const listed = seen.map((delta, k): LookedAt => {
      const { peer, received } = delta;
      // Nobody can apply two of one peer.
      if (seen.findIndex((other) => other.peer === peer) < k) return { peer, unfit: 'it is listed twice' };
      if (received === undefined || received.checksum === taken[k]!.checksum) return delta;
      return { peer, unfit: 'its bytes are others than those that were listed' };
    });
    return screened(listed, options);
  }

  #lookAt(posted: readonly PostedDelta[]): Promise<LookedAt[]> {
    return Promise.all(
      posted.map((delta) => {
        // A close may list the bytes of one peer as another's.
        const key = `${delta.peer}/${delta.id}`;
        const known = this.#seen.get(key);
        if (known !== undefined) return known;
        const look = this.#look(delta);
        this.#seen.set(key, look);
        return look;
      }),
    );
  }

  async #look({ peer, id, byteLength }: PostedDelta): Promise<LookedAt> {
    const bytes = id === this.own?.id ? this.own.bytes : await this.fetch(id);
    if (bytes === undefined) return { peer, gone: 'its bytes are gone, or not whole' };
    let seen: InspectedDelta;
    try {
      seen = await this.codec.inspect(bytes);
    } catch (error) {
      if (!(error instanceof OptimizerError)) throw error;
      return { peer, unfit: error.message };
    }
    const unfit = this.#unfit(seen, peer);
    if (unfit !== undefined) return { peer, unfit };
    const { norm, samples, checksum } = seen;
    return { peer, received: { peer, id, byteLength, checksum, bytes, norm, samples } };
  }

  #unfit(seen: InspectedDelta, peer: string): string | undefined {
    if (seen.round !== this.round) return `it is of round ${seen.round}`;
    if (seen.peer !== peer)
      return `it says that it is by ${seen.peer === undefined ? 'nobody' : `"${seen.peer}"`}`;
    const { checksum, contributors } = seen;
    if (contributors?.some((contributor) => contributor.checksum !== checksum)) {
      return 'it says that it is of several peers';
    }
    const other = otherLength(this.lengths, seen.lengths);
    return other === undefined
      ? undefined
      : `it is of another model: ${quote(other)} has ${seen.lengths[other] ?? 'no'} elements, and here ${this.lengths[other] ?? 'none'}`;
  }
}

/** A parameter that one of two models lacks, or has in another size. */
function otherLength(ours: InspectedDelta['lengths'], theirs: InspectedDelta['lengths']): string | undefined {
  return Object.keys({ ...ours, ...theirs }).find((name) => ours[name] !== theirs[name]);
}

function screened(
  seen: readonly LookedAt[],
  options: ScreenOptions,
): { taken: ReceivedDelta[]; refused: RefusedDelta[] } {
  const received = seen.flatMap((delta) => delta.received ?? []);
  const { taken, refused } = screenDeltas(received, options);
  const others = seen.flatMap(({ peer, unfit, gone }) => {
    const reason = unfit ?? gone;
    return reason === undefined ? [] : [{ peer, reason }];
  });
  return { taken, refused: sortedByPeer([...refused, ...others]) };
}
