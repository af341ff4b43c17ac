import type { KvWatchEntry } from '@nats-io/kv';
import { sortedByPeer } from '../fleet/screen.js';
import type { PostedDelta, RoundClose, SnapshotFacts } from '../fleet/transport.js';
import { closeIn, deltaIn, snapshotIn } from './parse-records.js';

/** Keys of the bucket of rounds. */
export const roundKeys = {
  snapshot: 'snapshot',
  close: (round: number): string => `round.${round}.close`,
  delta: (round: number, peer: string): string => `round.${round}.delta.${peer}`,
  /** All of a round, as a filter. */
  all: (round: number): string => `round.${round}.>`,
} as const;

/** Who is a member: a key per peer, which is written anew as long as it lives. */
export class PeerRecords {
  readonly #heardAtMs = new Map<string, number>();

  constructor(private readonly expirySeconds: number) {}

  take({ key, operation }: Pick<KvWatchEntry, 'key' | 'operation'>): void {
    if (operation === 'PUT') this.#heardAtMs.set(key, performance.now());
    else this.#heardAtMs.delete(key);
  }

  /** Those who were heard of lately, sorted. */
  living(): string[] {
    const earliest = performance.now() - this.expirySeconds * 1000;
    for (const [peer, heardAt] of this.#heardAtMs) if (heardAt <= earliest) this.#heardAtMs.delete(peer);
    return [...this.#heardAtMs.keys()].toSorted();
  }

  /** Milliseconds until the next of them is forgotten, unless it is heard of again. */
  nextExpiryMs(): number | undefined {
    const first = Math.min(...this.#heardAtMs.values());
    return first === Infinity ? undefined : first + this.expirySeconds * 1000 - performance.now();
  }
}

/** Rounds: what was put for each, how it was closed, and the newest snapshot. */
export class RoundRecords {
  readonly #posted = new Map<number, Map<string, PostedDelta>>();
  readonly #closed = new Map<number, RoundClose>();
  snapshot: SnapshotFacts | undefined;

  take(entry: Pick<KvWatchEntry, 'key' | 'operation' | 'json'>): void {
    if (entry.operation !== 'PUT') return;
    if (entry.key === roundKeys.snapshot) {
      this.snapshot = snapshotIn(entry);
      this.#forget(this.snapshot.keepFrom);
      return;
    }
    const [, roundText, kind, peer] = entry.key.split('.');
    const round = Number(roundText);
    // What is left of a round that another peer is purging.
    if (round < (this.snapshot?.keepFrom ?? 0)) return;
    if (kind === 'close') this.#closed.set(round, closeIn(entry));
    else if (kind === 'delta' && peer !== undefined) {
      const deltas = this.#posted.get(round) ?? new Map<string, PostedDelta>();
      this.#posted.set(round, deltas.set(peer, deltaIn(entry)));
    }
  }

  posted(round: number): PostedDelta[] {
    return sortedByPeer([...(this.#posted.get(round)?.values() ?? [])]);
  }

  closed(round: number): RoundClose | undefined {
    return this.#closed.get(round);
  }

  #forget(keepFrom: number): void {
    for (const map of [this.#posted, this.#closed]) {
      for (const round of map.keys()) if (round < keepFrom) map.delete(round);
    }
  }
}
