/** What `delta()` is told. */
export interface DeltaOptions {
  /** What the delta counts for in the mean, a finite number > 0: samples since the last round. Default 1. */
  readonly samples?: number;
  /** The peer's name, for errors and reports: no two deltas of a round may have the same. Default none. */
  readonly peer?: string;
}

/** What `loadSnapshot()` is told. */
export interface SnapshotOptions {
  /** Whether steps since the last `delta()` or round are kept, added to the anchor. Default false: weights become the anchor. */
  readonly keepProgress?: boolean;
  /** Whether the last `delta()` is in the snapshot. If it is known not to be, it is kept with the progress. Default true. */
  readonly isDeltaTaken?: boolean;
}

/** What a loop of rounds needs of a peer: {@link OuterOptimizer} and {@link ReferenceOuterOptimizer} have it. */
export interface OuterPeer {
  /** Rounds that were applied: the number of the one that is under way. */
  readonly round: number;
  /** How many elements each parameter has, by its name: the same for all peers. */
  readonly lengths: Readonly<Record<string, number>>;
  delta(options?: DeltaOptions): Promise<Uint8Array<ArrayBuffer>>;
  apply(deltas: Uint8Array | readonly Uint8Array[]): Promise<void>;
  snapshot(): Promise<Uint8Array<ArrayBuffer>>;
  loadSnapshot(snapshot: Uint8Array, options?: SnapshotOptions): Promise<void>;
}
