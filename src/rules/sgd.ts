import wgsl from '../../shaders/rules/sgd.wgsl?raw';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link sgd}. */
export type SgdOptions = CommonOptions;

/**
 * Stochastic gradient descent (Robbins & Monro 1951).
 *
 *     w ← w − ηg
 *
 * No state. Defaults: `lr` 0.01. The same as `torch.optim.SGD` without momentum.
 *
 * @param options see {@link SgdOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example sgd({ lr: 0.1 })
 */
export const sgd: RuleFactory<SgdOptions, never> = declareRule({
  name: 'sgd',
  wgsl,
  options: commonOptions(0.01),
  scalars: (_, lr) => ({ lr }),
  reference: ({ sub, mul }, { w, g, h }) => sub(w, mul(h.lr, g)),
});
