import type { OptimizerError } from '../errors.js';

/**
 * How peers reach each other. A transport moves bytes and keeps a few records; it knows nothing of optimizers, and there is no leader
 * in it. `memoryTransport` is one within a process, `natsTransport` one over NATS.
 *
 * A transport keeps, per run: the members; of each round the newest delta of each peer, and at most one close; the newest snapshot.
 * What is written is seen by all. What is read is what this peer has heard so far: that may be old, but must become true
 * some time after, with a call of `changed()`. The bytes behind an id never change. Two writes are atomic, and all that the fleet's agreement rests on: the first close of a round
 * stands, and so does the snapshot of the highest round, of equal ones the first.
 *
 * **Another transport** is a class with `join` and the methods of a seat. A sketch over HTTP, with a federated server that holds the records:
 *
 * ```ts
 * const transport: FleetTransport = {
 *   async join(peer, listener) {
 *     const heard = await call('POST', `/members/${peer}`); // 409: the name is taken → OptimizerError 'fleet'
 *     const events = new EventSource(`${server}/events`); // each event carries a record: member, delta, close or snapshot
 *     events.onmessage = ({ data }) => (heard.add(JSON.parse(data)), listener.changed());
 *     return {
 *       members: () => heard.members,
 *       posted: (round) => heard.deltas(round),
 *       closed: (round) => heard.close(round),
 *       snapshot: () => heard.snapshot,
 *       post: (round, bytes) => call('PUT', `/rounds/${round}/${peer}`, bytes),
 *       fetch: (id) => call('GET', `/blobs/${id}`), // 404 → undefined
 *       close: (close) => call('PUT', `/rounds/${close.round}/close`, close), // answers with the one that stands; 410 → undefined
 *       putSnapshot: (facts, bytes) => call('PUT', `/snapshot`, facts, bytes), // likewise
 *       leave: async () => (events.close(), await call('DELETE', `/members/${peer}`)),
 *     };
 *   },
 * };
 * ```
 *
 * Over libp2p the records go by gossip: a member's heartbeat, a delta's content id and a close are messages on a topic of the run, and bytes
 * are fetched from who announced them. Gossip has no atomic write, so one has to be made: let the member whose name comes
 * first close a round, or let members vote, and `close` answers when a majority has said the same.
 */
export interface FleetTransport {
  /**
   * Makes a peer a member, under a name that no living member has.
   *
   * @param listener is told of changes, until `leave()`. Never from within a call.
   * @throws OptimizerError `fleet` if the name is taken, or nothing can be reached.
   */
  join(peer: string, listener: FleetListener): Promise<FleetSeat>;
}

/** What a transport calls. */
export interface FleetListener {
  /** Something that this seat reads may be another: members, deltas, closes or the snapshot. */
  changed(): void;
  /** This seat is lost for good, and says why. */
  lost(error: OptimizerError): void;
}

/** A member's place in a fleet. */
export interface FleetSeat {
  /** Names of the living members, sorted, this one among them. A transport forgets those who have given no sign of life for some time. */
  members(): readonly string[];
  /** The deltas of a round, one per peer. */
  posted(round: number): readonly PostedDelta[];
  /** The close of a round that stands, if the round is closed, and has not been forgotten. */
  closed(round: number): RoundClose | undefined;
  /** The newest snapshot. */
  snapshot(): SnapshotFacts | undefined;
  /** Puts this peer's delta of a round, in place of one that it has put before. */
  post(round: number, bytes: Uint8Array): Promise<PostedDelta>;
  /** The bytes of a delta or a snapshot; nothing if they are gone, or not whole. They are read, and never written to. */
  fetch(id: string): Promise<Uint8Array | undefined>;
  /** Closes a round, unless it is closed. Gives the close that stands; nothing if the round has been forgotten, which nobody may close once more. */
  close(close: RoundClose): Promise<RoundClose | undefined>;
  /** Puts a snapshot, unless there is one of the same round or a later one. Rounds before `keepFrom` may then be forgotten. Gives the one that stands. */
  putSnapshot(facts: Omit<SnapshotFacts, 'id' | 'byteLength'>, bytes: Uint8Array): Promise<SnapshotFacts>;
  /** Ends the membership, and all timers and subscriptions. Never rejects: who has no connection is forgotten some time later. */
  leave(): Promise<void>;
}

/** A delta that a peer has put. */
export interface PostedDelta {
  readonly peer: string;
  /** What `fetch` takes. */
  readonly id: string;
  readonly byteLength: number;
}

/** What a round ended with: all peers apply exactly this. */
export interface RoundClose {
  readonly round: number;
  /** Who proposed it. */
  readonly closedBy: string;
  readonly taken: readonly TakenDelta[];
  readonly refused: readonly RefusedDelta[];
}

/** A delta that is applied. The checksum makes sure that all peers apply the same bytes. */
export interface TakenDelta extends PostedDelta {
  readonly checksum: string;
}

/** A delta that is not applied, and why. */
export interface RefusedDelta {
  readonly peer: string;
  readonly reason: string;
}

/** What a snapshot is of. */
export interface SnapshotFacts {
  /** Rounds that are in it. */
  readonly round: number;
  /** The first round whose deltas are kept beside it. */
  readonly keepFrom: number;
  /** What all peers must have alike. */
  readonly settings: FleetSettings;
  /** Of each peer, the last delta that is in it; of rounds in the last 1,000. */
  readonly taken: Readonly<Record<string, LastTaken>>;
  /** What `fetch` takes. */
  readonly id: string;
  readonly byteLength: number;
}

/** A peer's last delta that was applied. */
export interface LastTaken {
  readonly round: number;
  readonly checksum: string;
}

/** Options on which the bits of all peers depend. The first peer of a run sets them. */
export interface FleetSettings {
  readonly normFactor: number;
}
