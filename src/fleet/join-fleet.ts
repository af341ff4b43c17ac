import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { fleetError } from './fleet-error.js';
import { Membership } from './membership.js';
import { type CheckedFleetOptions, type FleetOptions, checkFleetOptions } from './options.js';
import { inspectDelta, zeroDelta } from '../outer/deltas/delta.js';
import type { OuterPeer } from '../outer/outer-peer.js';
import type { DeltaCodec } from './round-deltas.js';
import { Rounds } from './rounds.js';
import type { RoundReport } from './events.js';
import type { FleetSeat, FleetTransport } from './transport.js';

/** A peer's part in a fleet. */
export interface Fleet {
  /** This peer's name. */
  readonly peer: string;
  /** Names of the living members, sorted; none once this peer has left. */
  members(): readonly string[];
  /**
   * Exchanges what was learnt since the last round: puts this peer's delta, waits until the round is closed, and applies what it was closed with.
   * Rounds that were missed come first. Calls that are not awaited run one after the other.
   *
   * What goes wrong on the way loses nothing: the error says what is the matter, and the next call goes on from there.
   *
   * @param options samples that were learnt from since the last call, by which the mean of the deltas is weighted; 1 unless said.
   */
  sync(options?: { readonly samples?: number | undefined }): Promise<RoundReport>;
  /** Ends this peer's part: what is pending rejects, but for a round that is being applied. The optimizer goes on as it is. */
  leave(): Promise<void>;
}

/**
 * Takes part in a fleet: peers that train the same model, each by its own steps, and exchange what they learnt. There is no leader: whoever sees first
 * that all living members have put their deltas, or that the deadline is over, closes the round; the close that stands says which deltas
 * all apply, so all peers have the same bits.
 *
 * The first peer's weights are where all begin: `outer` goes on from the fleet's newest snapshot, and applies the rounds since. So does a peer that
 * comes late, or back, and one that has slept for more rounds than are kept.
 *
 * **Trust.** Members are taken for honest: who may be one is decided by the transport, as by NATS's accounts. What a peer sends may be broken all
 * the same: deltas that are not finite, far larger than the others', or of another model are refused by the one who closes the round
 * (`screenDeltas`), and once more by each peer, from the bytes that it applies. So a wrong close neither poisons nor stops anybody: what it lists
 * beyond that, twice, or with another checksum than the bytes have is left out by all alike, for list and bytes are the same for all. If nothing
 * remains, the round goes by as if nobody had moved. A liar among the members can still leave others out, count for more samples than it has,
 * stay within the norms, or hold rounds up until their deadline. One that lists bytes that nobody has holds up the run: bytes that are gone may
 * have been applied by others, so they are waited for, in a snapshot, and the error says who closed the round. All peers use one version of this
 * library.
 *
 * @param outer this peer's outer optimizer; nobody else applies deltas to it meanwhile.
 * @throws OptimizerError `fleet` if the name is taken, or nobody can be reached; `invalid-option`.
 */
export function joinFleet(
  outer: OuterPeer,
  transport: FleetTransport,
  options: FleetOptions,
): Promise<Fleet> {
  return joinFleetWith({ inspect: inspectDelta, zero: zeroDelta }, outer, transport, options);
}

/** How a fleet is joined, given what reads and makes deltas. Tests give another one. */
export async function joinFleetWith(
  codec: DeltaCodec,
  outer: OuterPeer,
  transport: FleetTransport,
  given: FleetOptions,
): Promise<Fleet> {
  const options = checkFleetOptions(given);
  const membership = new Membership(options.onEvent);
  const stopListening = endOnAbort(membership, options);
  try {
    membership.check();
    membership.takeSeat(await seatOf(transport, membership, options.peer));
    const rounds = new Rounds(outer, membership, options, codec);
    await rounds.begin();
    return new JoinedFleet(rounds, membership, options.peer, stopListening);
  } catch (error) {
    stopListening();
    membership.end(error);
    await membership.leaveSeat();
    throw error;
  }
}

/** A seat; one that comes after the end is left at once. */
async function seatOf(transport: FleetTransport, membership: Membership, peer: string): Promise<FleetSeat> {
  const joining = transport.join(peer, membership);
  try {
    return await membership.unlessEnded(joining);
  } catch (error) {
    void joining.then((seat) => seat.leave()).catch(() => undefined);
    throw error;
  }
}

function endOnAbort(membership: Membership, { signal }: CheckedFleetOptions): () => void {
  if (signal === undefined) return () => undefined;
  const end = (): void => membership.end(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  return () => signal.removeEventListener('abort', end);
}

class JoinedFleet implements Fleet {
  #queue: Promise<unknown> = Promise.resolve();
  #leaving: Promise<void> | undefined;

  constructor(
    private readonly rounds: Rounds,
    private readonly membership: Membership,
    readonly peer: string,
    private readonly stopListening: () => void,
  ) {
    void membership.ended.then(() => this.#leave());
  }

  members(): readonly string[] {
    return this.membership.hasEnded ? [] : this.membership.seat.members();
  }

  async sync(options: { readonly samples?: number | undefined } = {}): Promise<RoundReport> {
    const samples = samplesOf(options);
    const report = this.#queue.then(() => this.rounds.sync(samples));
    this.#queue = report.catch(() => undefined);
    return report;
  }

  leave(): Promise<void> {
    this.membership.end(fleetError(`peer ${quote(this.peer)} has left the fleet; call joinFleet() again.`));
    return this.#leave();
  }

  #leave(): Promise<void> {
    this.stopListening();
    return (this.#leaving ??= this.#queue.then(() => this.membership.leaveSeat()));
  }
}

function samplesOf(options: unknown): number {
  if (!isRecord(options)) {
    throw new OptimizerError('invalid-option', `sync() has ${quote(options)}; give { samples }, or nothing.`);
  }
  rejectUnknownKeys(options, ['samples'], 'sync', 'invalid-option');
  const { samples = 1 } = options;
  if (typeof samples === 'number' && samples > 0 && samples < Infinity) return samples;
  throw new OptimizerError(
    'invalid-option',
    `samples is ${quote(samples)}; give the number of samples since the last call, a finite number > 0.`,
  );
}
