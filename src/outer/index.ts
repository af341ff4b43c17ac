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
