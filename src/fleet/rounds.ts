import { OptimizerError, quote } from '../errors.js';
import { fleetError } from './fleet-error.js';
import type { Membership } from './membership.js';
import type { RoundReport } from './events.js';
import type { CheckedFleetOptions } from './options.js';
import type { OuterPeer } from '../outer/outer-peer.js';
import { type DeltaCodec, RoundDeltas } from './round-deltas.js';
import type { LastTaken, RefusedDelta, RoundClose, SnapshotFacts } from './transport.js';

/** Rounds for which it is known whose deltas were taken: a snapshot's record has room for that. */
const KNOWN_ROUNDS = 1000;

/** This peer's delta of a round. */
interface OwnDelta {
  readonly round: number;
  readonly bytes: Uint8Array;
  readonly samples: number;
  readonly checksum: string;
  /** Once it has been put. */
  id?: string;
}

/** Rounds as one peer takes part in them. Its methods are called one after the other. */
export class Rounds {
  /** The last delta, until a round has been applied that it can have been in. */
  #own: OwnDelta | undefined;
  /** Of each peer, the last delta that is in the anchor. */
  #taken = new Map<string, LastTaken>();
  /** Samples that this peer has learnt from since its last delta that was taken. */
  #uncounted = 0;
  #sent = 0;
  #received = 0;

  constructor(
    private readonly outer: OuterPeer,
    private readonly membership: Membership,
    private readonly options: CheckedFleetOptions,
    private readonly codec: DeltaCodec,
  ) {}

  /** Begins from the newest snapshot, or makes the first one, and applies what came after it. */
  async begin(): Promise<void> {
    const { membership, options } = this;
    const { seat } = membership;
    const { settings } = seat.snapshot() ?? (await this.#putSnapshot());
    if (settings.normFactor !== options.normFactor) {
      throw fleetError(
        `normFactor is ${options.normFactor}, and this fleet's is ${settings.normFactor}; give all peers the same.`,
      );
    }
    await this.#loadSnapshot(0, options.keepProgress, 'there is no snapshot that can be fetched');
    await this.#catchUp();
  }

  /** One round: this peer's delta, the others', and the step. */
  async sync(samples: number): Promise<RoundReport> {
    this.membership.check();
    this.#sent = 0;
    this.#received = 0;
    this.#uncounted += samples;
    for (;;) {
      await this.#catchUp();
      const { round } = this.outer;
      const deltas = this.#deltasOf(round, await this.#postOwn(round));
      const close = await this.#waitForClose(round, deltas);
      if (close !== 'forgotten') return this.#apply(close, deltas);
    }
  }

  /** Puts this peer's delta of a round. The bytes are made once, whatever goes wrong later, so that no step is counted twice. */
  async #postOwn(round: number): Promise<OwnDelta> {
    if (this.#own?.round !== round) {
      // Who has learnt nothing since a snapshot takes part all the same, and weighs as good as nothing.
      const samples = Math.max(this.#uncounted, Number.MIN_VALUE);
      const bytes = await this.outer.delta({ samples, peer: this.options.peer });
      const { checksum } = await this.codec.inspect(bytes);
      this.#own = { round, bytes, samples, checksum };
    }
    const own = this.#own;
    if (own.id === undefined) {
      own.id = (await this.membership.unlessEnded(this.membership.seat.post(round, own.bytes))).id;
      this.#sent += own.bytes.byteLength;
    }
    return own;
  }

  #deltasOf(round: number, own: OwnDelta | undefined): RoundDeltas {
    const { seat } = this.membership;
    const fetch = async (id: string): Promise<Uint8Array | undefined> => {
      const bytes = await seat.fetch(id);
      this.#received += bytes?.byteLength ?? 0;
      return bytes;
    };
    const { codec, outer } = this;
    return new RoundDeltas(round, fetch, codec, outer.lengths, own?.round === round ? own : undefined);
  }

  /** The close that stands: another peer's, or what this one proposes once nobody is to be waited for. */
  #waitForClose(round: number, deltas: RoundDeltas): Promise<RoundClose | 'forgotten'> {
    const { minPeers, deadlineSeconds, peer } = this.options;
    const { seat } = this.membership;
    return this.membership.until(deadlineSeconds, async (isOver) => {
      const standing = seat.closed(round);
      if (standing !== undefined) return standing;
      if ((seat.snapshot()?.round ?? 0) > round) return 'forgotten';
      const posted = seat.posted(round);
      // Fetched as soon as they are there, so that little is left to do when the last one comes.
      const { taken, refused } = await deltas.judge(posted, this.options);
      const members = seat.members();
      const isThere = (name: string): boolean => posted.some((delta) => delta.peer === name);
      // Who has just found a server again may have heard of nobody yet, not even of itself.
      const isComplete = members.includes(peer) && members.every(isThere);
      const isDecided = posted.length >= minPeers && (isComplete || isOver);
      if (isDecided && taken.length > 0) {
        const listed = taken.map(({ peer: by, id, byteLength, checksum }) => ({
          peer: by,
          id,
          byteLength,
          checksum,
        }));
        const closed = await seat.close({ round, closedBy: peer, taken: listed, refused });
        // If it has been forgotten, a snapshot is heard of soon.
        if (closed !== undefined || !isOver) return closed;
        throw fleetError(`round ${round} has been forgotten by the others; call sync() again to catch up.`);
      }
      if (!isOver) return undefined;
      const lack =
        posted.length < minPeers
          ? `${posted.length} of at least ${minPeers} peers have put a delta`
          : `none of ${posted.length} deltas can be applied (${reasonsOf(refused)})`;
      throw fleetError(
        `round ${round}: after ${deadlineSeconds} s ${lack}. Call sync() again to wait on; this peer's delta stays where it is.`,
      );
    });
  }

  /** Applies what a round was closed with, but for what no honest peer would have listed. */
  async #apply(close: RoundClose, deltas: RoundDeltas): Promise<RoundReport> {
    const { round, closedBy } = close;
    const { membership } = this;
    const { taken, refused, gone } = await membership.unlessEnded(deltas.receive(close.taken, this.options));
    const allRefused = [...close.refused, ...refused];
    let isOwnTaken = this.#isAmong(gone === undefined ? taken : close.taken);
    if (gone !== undefined) {
      // Others have applied it, so a snapshot of theirs has it, too.
      const why = `round ${round}, closed by ${quote(closedBy)}, lists the delta of ${quote(gone.peer)}, which cannot be had: ${gone.reason}`;
      const isIn = await this.#loadSnapshot(round + 1, true, why);
      isOwnTaken &&= isIn;
    } else {
      const { codec, outer } = this;
      // A close stands, even one of which nothing is left: all go on as if nobody had moved.
      const isEmpty = taken.length === 0;
      await outer.apply(isEmpty ? await codec.zero(round, outer.lengths) : taken.map(({ bytes }) => bytes));
      for (const { peer, checksum } of taken) this.#taken.set(peer, { round, checksum });
      if (isOwnTaken) this.#uncounted -= this.#own!.samples;
      if (this.#own?.round === round) this.#own = undefined;
    }
    for (const refusal of allRefused) membership.tell({ kind: 'refused', round, ...refusal });
    if (closedBy === this.options.peer) await this.#snapshotIfDue();
    return {
      round,
      closedBy,
      taken: (gone === undefined ? taken : close.taken).map(({ peer }) => peer),
      refused: allRefused,
      isOwnTaken,
      byteLengthSent: this.#sent,
      byteLengthReceived: this.#received,
    };
  }

  /** Applies all rounds that are closed, or goes on from a snapshot where one of them has been forgotten. */
  async #catchUp(): Promise<void> {
    const { outer, membership } = this;
    const { seat } = membership;
    for (;;) {
      membership.check();
      const { round } = outer;
      const close = seat.closed(round);
      if (close !== undefined) {
        const report = await this.#apply(close, this.#deltasOf(round, this.#own));
        membership.tell({ kind: 'missed', report });
      } else if ((seat.snapshot()?.round ?? 0) > round) {
        await this.#loadSnapshot(round + 1, true, 'there is no snapshot that can be fetched');
      } else return;
    }
  }

  #isAmong(list: readonly { readonly checksum: string }[]): boolean {
    return list.some(({ checksum }) => checksum === this.#own?.checksum);
  }

  /**
   * Goes on from the newest snapshot, once there is one of this round or a later one.
   *
   * @param keepProgress whether steps since the last delta or round stay in the weights, and go into the next delta.
   * @param why what is wrong if there is none.
   * @returns whether the last delta is in it, or may be.
   */
  async #loadSnapshot(leastRound: number, keepProgress: boolean, why: string): Promise<boolean> {
    const { membership, options, outer } = this;
    const { seat } = membership;
    const { facts, bytes } = await membership.until(options.deadlineSeconds, async (isOver) => {
      const newest = seat.snapshot();
      const whole = newest && newest.round >= leastRound ? await seat.fetch(newest.id) : undefined;
      if (whole) return { facts: newest!, bytes: whole };
      if (!isOver) return undefined;
      throw fleetError(
        `${why}. For ${options.deadlineSeconds} s there was no snapshot of round ${leastRound} or later in its place. ` +
          'Nothing was changed; call sync() again to look again.',
      );
    });
    this.#received += bytes.byteLength;
    const from = outer.round;
    const isDeltaTaken = this.#isIn(facts);
    await outer.loadSnapshot(bytes, { keepProgress, isDeltaTaken });
    // What stays is what came after the last delta that is in the snapshot.
    if (!keepProgress) this.#uncounted = 0;
    else if (isDeltaTaken) this.#uncounted -= this.#own?.samples ?? 0;
    this.#own = undefined;
    this.#taken = new Map(Object.entries(facts.taken));
    membership.tell({ kind: 'loaded', from, to: outer.round });
    return isDeltaTaken;
  }

  /** Whether a snapshot has this peer's last delta in it, or may have it. */
  #isIn({ round, taken }: SnapshotFacts): boolean {
    const { peer } = this.options;
    if (this.#own === undefined || this.#own.round < round - KNOWN_ROUNDS) return true;
    const last = Object.hasOwn(taken, peer) ? taken[peer]! : undefined;
    // A later one is by somebody else of this name.
    return last !== undefined && (last.checksum === this.#own.checksum || last.round > this.#own.round);
  }

  /** Whoever closed a round makes the snapshot that is due. If that fails, the round stands, and the next one's closer tries again. */
  async #snapshotIfDue(): Promise<void> {
    const { membership, options, outer } = this;
    if (outer.round - (membership.seat.snapshot()?.round ?? 0) < options.snapshotEvery) return;
    try {
      await this.#putSnapshot();
    } catch (error) {
      if (!(error instanceof OptimizerError)) throw error;
      membership.tell({ kind: 'trouble', error });
    }
  }

  async #putSnapshot(): Promise<SnapshotFacts> {
    const { membership, options, outer } = this;
    const bytes = await outer.snapshot();
    const { round } = outer;
    const facts = {
      round,
      keepFrom: Math.max(0, round - options.keepRounds),
      settings: { normFactor: options.normFactor },
      taken: Object.fromEntries([...this.#taken].filter(([, last]) => last.round >= round - KNOWN_ROUNDS)),
    };
    const standing = await membership.unlessEnded(membership.seat.putSnapshot(facts, bytes));
    this.#sent += bytes.byteLength;
    membership.tell({ kind: 'snapshot', round, byteLength: bytes.byteLength });
    return standing;
  }
}

function reasonsOf(refused: readonly RefusedDelta[]): string {
  return refused.map(({ peer, reason }) => `${quote(peer)}: ${reason}`).join('; ');
}
