import type { JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection, QueuedIterator, Status } from '@nats-io/nats-core';
import { OptimizerError } from '../errors.js';
import { Deadline } from '../fleet/deadline.js';
import type { FleetListener, FleetSeat, PostedDelta, RoundClose, SnapshotFacts } from '../fleet/transport.js';
import { type Attempts, closedError, isConflict } from './attempts.js';
import type { ByteStore } from './byte-store.js';
import { Mirror } from './mirror.js';
import { NameClaim } from './name-claim.js';
import { closeIn, snapshotIn } from './parse-records.js';
import { PeerRecords, RoundRecords, roundKeys } from './records.js';

/** Where a run is kept. */
export interface RunStores {
  readonly peers: KV;
  readonly rounds: KV;
  readonly bytes: ByteStore;
  readonly manager: JetStreamManager;
  /** The stream behind `rounds`, and what its subjects begin with. */
  readonly roundsStream: string;
  readonly roundsPrefix: string;
}

/** How long a peer that leaves tries to say so. */
const FAREWELL_SECONDS = 2;

/** A place in a fleet, over NATS. */
export class NatsSeat implements FleetSeat {
  readonly #peers: Mirror<PeerRecords>;
  readonly #rounds: Mirror<RoundRecords>;
  readonly #claim: NameClaim;
  readonly #status: QueuedIterator<Status>;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly stores: RunStores,
    private readonly attempts: Attempts,
    private readonly peer: string,
    expirySeconds: number,
    private readonly listener: FleetListener,
  ) {
    const changed = (): void => this.#changed();
    const restart = (): void => this.#restart();
    this.#peers = new Mirror(stores.peers, () => new PeerRecords(expirySeconds), changed, restart);
    this.#rounds = new Mirror(stores.rounds, () => new RoundRecords(), changed, restart);
    this.#claim = new NameClaim(stores.peers, peer, expirySeconds, (error) => this.#lose(error));
    // It can be stopped, though its type does not say so.
    this.#status = connection.status() as QueuedIterator<Status>;
  }

  /** @throws OptimizerError `fleet` if the name is taken, or the server is away. */
  async begin(): Promise<void> {
    try {
      await this.attempts.of('the peer cannot join', () => this.#claim.take());
      void this.#followStatus();
      void this.connection.closed().then((error) => this.#lose(closedError('the fleet is lost', error)));
      await this.#startMirrors();
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  members(): readonly string[] {
    return this.#peers.records.living();
  }

  posted(round: number): readonly PostedDelta[] {
    return this.#rounds.records.posted(round);
  }

  closed(round: number): RoundClose | undefined {
    return this.#rounds.records.closed(round);
  }

  snapshot(): SnapshotFacts | undefined {
    return this.#rounds.records.snapshot;
  }

  async post(round: number, bytes: Uint8Array): Promise<PostedDelta> {
    const { peer, stores } = this;
    const id = `delta.${round}.${peer}.${crypto.randomUUID()}`;
    const posted: PostedDelta = { peer, id, byteLength: bytes.byteLength };
    return this.attempts.of('the delta cannot be put', async () => {
      await this.#put(id, bytes);
      await stores.rounds.put(roundKeys.delta(round, peer), JSON.stringify(posted));
      return posted;
    });
  }

  fetch(id: string): Promise<Uint8Array | undefined> {
    return this.attempts.of('bytes cannot be fetched', () => this.stores.bytes.get(id));
  }

  close(close: RoundClose): Promise<RoundClose | undefined> {
    const { rounds } = this.stores;
    const key = roundKeys.close(close.round);
    return this.attempts.of('the round cannot be closed', async () => {
      try {
        await rounds.create(key, JSON.stringify(close));
      } catch (error) {
        if (!isConflict(error)) throw error;
        const standing = await rounds.get(key);
        if (standing?.operation !== 'PUT') throw error;
        return closeIn(standing);
      }
      // Once a round has been forgotten, nothing is in the way of a second close.
      const { keepFrom = 0 } = (await this.#newestSnapshot())?.facts ?? {};
      if (close.round >= keepFrom) return close;
      await this.#forgetRound(close.round);
      return undefined;
    });
  }

  async putSnapshot(
    given: Omit<SnapshotFacts, 'id' | 'byteLength'>,
    bytes: Uint8Array,
  ): Promise<SnapshotFacts> {
    const id = `snapshot.${given.round}.${crypto.randomUUID()}`;
    const facts: SnapshotFacts = { ...given, id, byteLength: bytes.byteLength };
    const standing = await this.attempts.of('the snapshot cannot be put', async () => {
      await this.#put(id, bytes);
      return this.#stand(facts);
    });
    // What is left over for trouble on the way goes with the next snapshot.
    await (
      standing.id === id ? this.#forgetBefore(facts) : this.stores.bytes.remove((name) => name === id)
    ).catch(() => undefined);
    return standing;
  }

  async leave(): Promise<void> {
    if (this.#hasEnded) return;
    const isHeard = this.attempts.isConnected && !this.connection.isClosed();
    const farewell = isHeard ? this.#claim.release().catch(() => undefined) : undefined;
    this.#end();
    const limit = new Deadline(FAREWELL_SECONDS);
    await Promise.race([farewell, limit.passes]);
    limit.cancel();
  }

  #put(name: string, bytes: Uint8Array): Promise<void> {
    return this.stores.bytes.put(name, bytes, this.connection.info?.max_payload ?? 2 ** 20);
  }

  /** Makes a snapshot the newest one, unless there is one of its round or later. */
  async #stand(facts: SnapshotFacts): Promise<SnapshotFacts> {
    const { rounds } = this.stores;
    for (;;) {
      const newest = await this.#newestSnapshot();
      if (newest?.facts !== undefined && newest.facts.round >= facts.round) return newest.facts;
      try {
        if (newest === undefined) await rounds.create(roundKeys.snapshot, JSON.stringify(facts));
        else await rounds.update(roundKeys.snapshot, JSON.stringify(facts), newest.revision);
        return facts;
      } catch (error) {
        // Another peer's came between: it is looked at once more which one stands.
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** What the server has, whatever was heard of it. */
  async #newestSnapshot(): Promise<
    { readonly facts?: SnapshotFacts; readonly revision: number } | undefined
  > {
    const entry = await this.stores.rounds.get(roundKeys.snapshot);
    if (entry === null) return undefined;
    const { revision } = entry;
    return entry.operation === 'PUT' ? { facts: snapshotIn(entry), revision } : { revision };
  }

  /** Removes snapshots that came before this one, and rounds that are to be forgotten. */
  async #forgetBefore({ round, keepFrom }: SnapshotFacts): Promise<void> {
    const { bytes } = this.stores;
    const rounds = new Set<number>();
    await bytes.remove((name) => {
      const [kind, text] = name.split('.');
      const itsRound = Number(text);
      if (kind === 'snapshot') return itsRound < round;
      if (itsRound >= keepFrom) return false;
      rounds.add(itsRound);
      return true;
    });
    for (const old of rounds) await this.#forgetRound(old);
  }

  async #forgetRound(round: number): Promise<void> {
    const { manager, roundsStream, roundsPrefix } = this.stores;
    await manager.streams.purge(roundsStream, { filter: `${roundsPrefix}${roundKeys.all(round)}` });
  }

  async #startMirrors(): Promise<void> {
    await this.attempts.of('the fleet cannot be watched', () =>
      Promise.all([this.#peers.start(), this.#rounds.start()]),
    );
  }

  /** A watch does not outlive a server: begins both anew. */
  #restart(): void {
    if (this.#hasEnded) return;
    this.#startMirrors().catch((error: unknown) => {
      if (error instanceof OptimizerError) this.#lose(error);
    });
  }

  async #followStatus(): Promise<void> {
    for await (const { type } of this.#status) {
      if (type === 'disconnect') this.attempts.disconnected();
      else if (type === 'reconnect') {
        this.attempts.reconnected();
        this.#restart();
      }
    }
  }

  #changed(): void {
    if (this.#hasEnded) return;
    clearTimeout(this.#expiry);
    const milliseconds = this.#peers.records.nextExpiryMs();
    // A little later, for then it has expired.
    if (milliseconds !== undefined) {
      this.#expiry = setTimeout(() => this.#changed(), Math.max(0, milliseconds) + 10);
    }
    this.listener.changed();
  }

  #lose(error: OptimizerError): void {
    if (this.#hasEnded) return;
    this.#end();
    this.listener.lost(error);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#claim.stop();
    clearTimeout(this.#expiry);
    this.#peers.stop();
    this.#rounds.stop();
    this.#status.stop();
    this.attempts.end();
  }
}
