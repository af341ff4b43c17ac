/**
 * Training on several machines: outer steps over what each has learnt by itself.
 *
 * @module webgpu-optim/outer
 */
export { OptimizerError, type OptimizerErrorCode } from '../errors.js';

export { averageDeltas } from './average-deltas.js';
export type { Compress, TopKOptions } from './compress.js';
export { inspectDelta, type DeltaHeader, type DeltaSummary } from './delta.js';
export { nesterov, type OuterOptions } from './options.js';
export { OuterOptimizer } from './outer-optimizer.js';
export { ReferenceOuterOptimizer, type ReferenceOuterParameter } from './reference-outer.js';
export type { DeltaOptions, OuterPeer, SnapshotOptions } from './outer-peer.js';
export {
  type FleetSimulation,
  type FleetSimulationOptions,
  type SimulatedPeer,
  type SimulatedRound,
  simulateFleet,
} from './simulate.js';

export { joinFleet, type Fleet } from '../fleet/join-fleet.js';
export { memoryTransport, type MemoryTransport } from '../fleet/memory-transport.js';
export type { FleetEvent, FleetOptions } from '../fleet/options.js';
export type { RoundReport } from '../fleet/rounds.js';
export { screenDeltas, type ScreenOptions, type ScreenedDelta } from '../fleet/screen.js';
export type {
  FleetListener,
  FleetSeat,
  FleetSettings,
  FleetTransport,
  PostedDelta,
  RefusedDelta,
  RoundClose,
  SnapshotFacts,
  TakenDelta,
} from '../fleet/transport.js';
