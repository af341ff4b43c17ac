/**
 * The optimizer for jax-js: trees of arrays, in the shape of optax.
 *
 * @module webgpu-optim/jax
 */
export { fusedOptimizer, type FusedOptimizerOptions, type LeafGroup } from './create.js';
export type { FusedOptimizer } from './fused-optimizer.js';
export {
  applyUpdates,
  type FusedTransformation,
  fusedTransformation,
  type FusedUpdates,
} from './transformation.js';
