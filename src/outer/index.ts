/**
 * Training on several machines: outer steps over what each has learnt by itself.
 *
 * @module webgpu-optim/outer
 */
export { OptimizerError, type OptimizerErrorCode } from '../errors.js';

export { averageDeltas } from './deltas/average-deltas.js';
export type { Compress } from './deltas/compress.js';
export type { TopKOptions } from './deltas/top-k.js';
export { inspectDelta, type DeltaHeader, type DeltaSummary } from './deltas/delta.js';
export { nesterov, type OuterOptions } from './options.js';
export { OuterOptimizer } from './outer-optimizer.js';
export { ReferenceOuterOptimizer, type ReferenceOuterParameter } from './twin/reference-outer.js';
export type { DeltaOptions, OuterPeer, SnapshotOptions } from './outer-peer.js';
export type { FleetSimulationOptions, SimulatedPeer, SimulatedRound } from './simulation/simulate-options.js';
export { type FleetSimulation, simulateFleet } from './simulation/simulate.js';

export { joinFleet, type Fleet } from '../fleet/join-fleet.js';
export { memoryTransport, type MemoryTransport } from '../fleet/memory-transport.js';
export type { FleetEvent, RoundReport } from '../fleet/events.js';
export type { FleetOptions } from '../fleet/options.js';
export { screenDeltas, type ScreenOptions, type ScreenedDelta } from '../fleet/screen.js';
export type {
  FleetListener,
  FleetSeat,
  FleetSettings,
  FleetTransport,
  LastTaken,
  PostedDelta,
  RefusedDelta,
  RoundClose,
  SnapshotFacts,
  TakenDelta,
} from '../fleet/transport.js';
