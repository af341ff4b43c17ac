import type { OptimizerError } from '../errors.js';
import type { RefusedDelta } from './transport.js';

/** What a round was. */
export interface RoundReport {
  readonly round: number;
  /** The peer that closed it. */
  readonly closedBy: string;
  /** Peers whose deltas are in the weights now; nobody if all that the round was closed with had to be refused: it goes by as if no peer had moved. */
  readonly taken: readonly string[];
  /** Peers whose deltas were not applied, and why. */
  readonly refused: readonly RefusedDelta[];
  /** Whether this peer's own delta was taken. If not, what it has learnt stays in its weights, and goes into the next delta. */
  readonly isOwnTaken: boolean;
  /** Bytes of deltas and snapshots that this call has put. */
  readonly byteLengthSent: number;
  /** Bytes of deltas and snapshots that this call has fetched. */
  readonly byteLengthReceived: number;
}

/** What happens in a fleet. */
export type FleetEvent =
  /** A delta was not applied; by the one who closed the round, or by this peer. */
  | ({ readonly kind: 'refused'; readonly round: number } & RefusedDelta)
  /** Who is a member has changed. */
  | { readonly kind: 'members'; readonly members: readonly string[] }
  /** A round that was closed without this peer looking is in its weights now. */
  | { readonly kind: 'missed'; readonly report: RoundReport }
  /**
   * This peer goes on from a snapshot: it has joined, or missed rounds that are forgotten. Steps since its last delta or round stay in its weights,
   * and so does that delta, if it is not in the snapshot.
   */
  | { readonly kind: 'loaded'; readonly from: number; readonly to: number }
  /** This peer has put a snapshot. */
  | { readonly kind: 'snapshot'; readonly round: number; readonly byteLength: number }
  /** Something beside the round went wrong, and will be tried again. */
  | { readonly kind: 'trouble'; readonly error: OptimizerError };
