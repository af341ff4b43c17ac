import type { Compress } from '../../../src/outer/index.js';

export type FleetTask = 'digits' | 'moby-dick';

/** Who a page is to be, and what it is to train. */
export interface PeerRequest {
  readonly peer: string;
  readonly task: FleetTask;
  readonly seed: number;
  /** Which of so many equal shares of the examples it trains on. */
  readonly share: { readonly index: number; readonly count: number };
  readonly every: number;
  readonly rounds: number;
  /** Absent: it trains alone, with as many samples as a fleet of `share.count` would. */
  readonly fleet?: FleetRequest;
}

/** The fleet that a page joins. */
export interface FleetRequest {
  /** The websocket of a NATS server. */
  readonly url: string;
  readonly run: string;
  readonly compress: Compress;
  /** Whether what it gives to others is NaN in each second round, and 1,000 times too large in the others. */
  readonly isPoisoned: boolean;
}

/** What a page tells the command line. `done` or `failed` is the last message. */
export type PeerMessage =
  | { readonly kind: 'progress'; readonly step: number; readonly totalSteps: number; readonly loss: number }
  | { readonly kind: 'round'; readonly round: number; readonly refused: readonly Refusal[] }
  /** It goes on from the fleet's snapshot. */
  | { readonly kind: 'loaded'; readonly round: number }
  | { readonly kind: 'done'; readonly summary: PeerSummary }
  | { readonly kind: 'failed'; readonly message: string };

export interface Refusal {
  readonly peer: string;
  readonly reason: string;
}

/** What a peer came to. */
export interface PeerSummary {
  readonly elementCount: number;
  readonly steps: number;
  /** Mean cross-entropy of the held-out examples, in nats, and the share of them that is right. */
  readonly loss: number;
  readonly accuracy: number;
  readonly sentByteLength: number;
  /** Whether its last delta was taken: then its weights are the fleet's. */
  readonly hasAnchor: boolean;
  /** SHA-256 of its weights. */
  readonly weights: string;
}

/** What the page offers to the command line, as `window.fleetPeer`. */
export interface FleetPeerPage {
  /** Gets all that it needs, and joins the fleet. @returns the adapter's name. */
  open(request: PeerRequest): Promise<string>;
  /** Trains; returns at once. All else comes through `window.reportPeer`. */
  start(): void;
}

declare global {
  interface Window {
    fleetPeer?: FleetPeerPage;
    /** Put there by the command line. */
    reportPeer?: (message: PeerMessage) => Promise<void>;
  }
}
