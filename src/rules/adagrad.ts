import wgsl from '../../shaders/rules/adagrad.wgsl?raw';
import { type EpsPlacement, type Fixed, choice, number, numberAtStart } from './options/options.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { declareRule } from './declaring/declare-rule.js';
import type { RuleFactory } from './rule.js';

/** Options of {@link adagrad}. */
export interface AdagradOptions extends CommonOptions {
  /** ε ≥ 0, added to the denominator. Default 1e-7. */
  eps?: number;
  /** `'inside'` the root (default): √(s+ε), as Keras; `'outside'`: √s+ε, as PyTorch. */
  epsPlacement?: Exclude<EpsPlacement, 'hat'>;
  /** What every element of s is before the first step, ≥ 0. Default 0. */
  initialAccumulator?: Fixed;
  /** The learning rate at the 1-based step t is η/(1 + (t−1)·lrDecay), as PyTorch; ≥ 0. Default 0. */
  lrDecay?: number;
}

/**
 * Adagrad (Duchi, Hazan & Singer 2011, diagonal form).
 *
 *     s ← s + g²;   w ← w − ηg/√(s+ε)     or, with epsPlacement 'outside', w ← w − ηg/(√s+ε)
 *
 * State: `sum` (s). Defaults: `lr` 0.01, `eps` 1e-7, `epsPlacement` 'inside', `initialAccumulator` 0, `lrDecay` 0.
 *
 * @param options see {@link AdagradOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adagrad({ lr: 0.05, initialAccumulator: 0.1 })
 */
export const adagrad: RuleFactory<AdagradOptions, 'sum'> = declareRule({
  name: 'adagrad',
  wgsl,
  options: {
    ...commonOptions(0.01),
    eps: number(1e-7, 0),
    epsPlacement: choice<'outside' | 'inside'>('inside', ['outside', 'inside']),
    initialAccumulator: numberAtStart(0, 0),
    lrDecay: number(0, 0),
  },
  slots: [{ name: 'sum', initial: (o) => o.initialAccumulator, isExact: true }],
  switches: (o) => ({ EPS_INSIDE: o.epsPlacement === 'inside' }),
  scalars: (o, lr) => ({ lr, lr_decay: o.lrDecay, eps: o.eps }),
  prepare: ({ scalar, add, sub, mul, div }, h) => ({
    rate: div(h.lr, add(scalar(1), mul(sub(h.t, scalar(1)), h.lr_decay))),
  }),
  reference: ({ add, sub, mul, div, sqrt }, { w, g, s, h, on }) => {
    s.sum = add(s.sum, mul(g, g));
    if (on.EPS_INSIDE) return sub(w, mul(h.rate, div(g, sqrt(add(s.sum, h.eps)))));
    return sub(w, mul(h.rate, div(g, add(sqrt(s.sum), h.eps))));
  },
});
