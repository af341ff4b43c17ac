import { quote } from '../errors.js';
import { fleetError } from './fleet-error.js';
import { checkName } from './names.js';
import { sortedByPeer } from './screen.js';
import type {
  FleetListener,
  FleetSeat,
  FleetTransport,
  PostedDelta,
  RoundClose,
  SnapshotFacts,
} from './transport.js';

/** A fleet's records within one process. */
export interface MemoryTransport extends FleetTransport {
  /** Loses a member, as if its process had died: it is forgotten at once, and what it does rejects. */
  drop(peer: string): void;
}

/**
 * A transport within one process, for tests and simulations. All that happens in it follows from the order of calls: it has no clock, and
 * members live until they leave, or are dropped. Bytes are kept as they are given, not copied.
 */
export function memoryTransport(): MemoryTransport {
  return new MemoryFleet();
}

class MemoryFleet implements MemoryTransport {
  readonly #seats = new Map<string, MemorySeat>();
  readonly #posted = new Map<number, Map<string, PostedDelta>>();
  readonly #closed = new Map<number, RoundClose>();
  readonly #bytes = new Map<string, Uint8Array>();
  #snapshot: SnapshotFacts | undefined;
  #count = 0;

  async join(peer: string, listener: FleetListener): Promise<FleetSeat> {
    checkName(peer, 'peer');
    if (this.#seats.has(peer)) {
      throw fleetError(
        `peer ${quote(peer)} is a member already; give another name, or let that one leave first.`,
      );
    }
    const seat = new MemorySeat(this, peer, listener);
    this.#seats.set(peer, seat);
    this.announce();
    return seat;
  }

  drop(peer: string): void {
    const seat = this.#seats.get(peer);
    this.#seats.delete(peer);
    seat?.listener.lost(fleetError(`peer ${quote(peer)} was dropped; join again.`));
    this.announce();
  }

  holds(seat: MemorySeat): boolean {
    return this.#seats.get(seat.peer) === seat;
  }

  remove(peer: string): void {
    this.#seats.delete(peer);
    this.announce();
  }

  members(): string[] {
    return [...this.#seats.keys()].toSorted();
  }

  posted(round: number): PostedDelta[] {
    return sortedByPeer([...(this.#posted.get(round)?.values() ?? [])]);
  }

  closed(round: number): RoundClose | undefined {
    return this.#closed.get(round);
  }

  snapshot(): SnapshotFacts | undefined {
    return this.#snapshot;
  }

  fetch(id: string): Uint8Array | undefined {
    return this.#bytes.get(id);
  }

  post(peer: string, round: number, bytes: Uint8Array): PostedDelta {
    const delta = { peer, id: this.#put(bytes), byteLength: bytes.byteLength };
    const deltas = this.#posted.get(round) ?? new Map<string, PostedDelta>();
    this.#posted.set(round, deltas.set(peer, delta));
    this.announce();
    return delta;
  }

  close(close: RoundClose): RoundClose | undefined {
    const standing = this.#closed.get(close.round);
    if (standing !== undefined) return standing;
    if (close.round < (this.#snapshot?.keepFrom ?? 0)) return undefined;
    this.#closed.set(close.round, close);
    this.announce();
    return close;
  }

  putSnapshot(facts: Omit<SnapshotFacts, 'id' | 'byteLength'>, bytes: Uint8Array): SnapshotFacts {
    const before = this.#snapshot;
    if (before !== undefined && before.round >= facts.round) return before;
    if (before !== undefined) this.#bytes.delete(before.id);
    this.#snapshot = { ...facts, id: this.#put(bytes), byteLength: bytes.byteLength };
    this.#forget(facts.keepFrom);
    this.announce();
    return this.#snapshot;
  }

  /** Tells all seats, each by a microtask of its own. */
  announce(): void {
    for (const { listener } of this.#seats.values()) queueMicrotask(() => listener.changed());
  }

  #put(bytes: Uint8Array): string {
    const id = String((this.#count += 1));
    this.#bytes.set(id, bytes);
    return id;
  }

  #forget(keepFrom: number): void {
    for (const [round, deltas] of this.#posted) {
      if (round >= keepFrom) continue;
      for (const { id } of deltas.values()) this.#bytes.delete(id);
      this.#posted.delete(round);
    }
    for (const round of this.#closed.keys()) if (round < keepFrom) this.#closed.delete(round);
  }
}

class MemorySeat implements FleetSeat {
  constructor(
    private readonly fleet: MemoryFleet,
    readonly peer: string,
    readonly listener: FleetListener,
  ) {}

  members = (): string[] => this.fleet.members();
  posted = (round: number): PostedDelta[] => this.fleet.posted(round);
  closed = (round: number): RoundClose | undefined => this.fleet.closed(round);
  snapshot = (): SnapshotFacts | undefined => this.fleet.snapshot();

  async post(round: number, bytes: Uint8Array): Promise<PostedDelta> {
    return this.#seated().post(this.peer, round, bytes);
  }

  async fetch(id: string): Promise<Uint8Array | undefined> {
    return this.#seated().fetch(id);
  }

  async close(close: RoundClose): Promise<RoundClose | undefined> {
    return this.#seated().close(close);
  }

  async putSnapshot(
    facts: Omit<SnapshotFacts, 'id' | 'byteLength'>,
    bytes: Uint8Array,
  ): Promise<SnapshotFacts> {
    return this.#seated().putSnapshot(facts, bytes);
  }

  async leave(): Promise<void> {
    if (this.fleet.holds(this)) this.fleet.remove(this.peer);
  }

  #seated(): MemoryFleet {
    if (this.fleet.holds(this)) return this.fleet;
    throw fleetError(`peer ${quote(this.peer)} is no member any more; join again.`);
  }
}
