export { fusedOptimizer, type FusedOptimizerOptions, type LeafGroup } from './create.js';
export type { FusedOptimizer } from './fused-optimizer.js';
export {
  applyUpdates,
  type FusedTransformation,
  fusedTransformation,
  type FusedUpdates,
} from './transformation.js';
