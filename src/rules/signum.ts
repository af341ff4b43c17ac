import wgsl from '../../shaders/rules/signum.wgsl?raw';
import { number } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link signum}. */
export interface SignumOptions extends CommonOptions {
  /** Decay λ of the gradient's average, in [0, 1); 0 is signSGD, and then no state is kept. Default 0.9. */
  momentum?: number;
}

/**
 * Signum: the sign of an average of gradients; signSGD without momentum (Bernstein et al. 2018, Algorithms 2 and 1).
 * Every element moves by η, or, where m is 0, not at all.
 *
 *     m ← λm + (1−λ)g;   w ← w − η·sign(m)
 *
 * MXNet's `wd` is weight decay `'l2'` and its `wd_lh` `'decoupled'`; MXNet keeps −m. State: `momentum_buffer` (m) if
 * momentum > 0. Defaults: `lr` 0.01, `momentum` 0.9.
 *
 * @param options see {@link SignumOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example signum({ lr: 1e-4, momentum: 0.95 })
 */
export const signum: RuleFactory<SignumOptions, 'momentum_buffer'> = declareRule({
  name: 'signum',
  wgsl,
  options: { ...commonOptions(0.01), momentum: { ...number(0.9, 0, 1), samples: [0.5, 0] } },
  slots: [{ name: 'momentum_buffer', usedBy: (o) => o.momentum > 0 }],
  switches: (o) => ({ MOMENTUM: o.momentum > 0 }),
  scalars: (o, lr) => ({ lr, momentum: o.momentum, one_minus_momentum: 1 - o.momentum }),
  reference: ({ add, sub, mul, sign }, { w, g, s, h, on }) => {
    if (on.MOMENTUM) {
      s.momentum_buffer = add(mul(h.momentum, s.momentum_buffer), mul(h.one_minus_momentum, g));
    }
    return sub(w, mul(sign(on.MOMENTUM ? s.momentum_buffer : g), h.lr));
  },
});
