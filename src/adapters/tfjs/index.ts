/**
 * The optimizer as one of TensorFlow.js, on its WebGPU backend.
 *
 * @module webgpu-optim/tfjs
 */
export { FusedOptimizer } from './fused-optimizer.js';
export type { FusedGroup, FusedOptimizerOptions } from './options.js';
