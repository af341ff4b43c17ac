import { freezeConvention } from './convention.js';

/** Flax before 0.6, `flax.optim` (commit 23ef0650, adam.py at 484b56a7; removed in favour of optax). */
export const flax = freezeConvention({
  /** `GradientDescent(learning_rate)`, flax/optim/sgd.py. */
  sgd: { weightDecay: 0 },
  /** `Momentum(learning_rate, beta=0.9, weight_decay=0, nesterov=False)`, flax/optim/momentum.py. */
  momentum: {
    momentum: 0.9,
    nesterov: false,
    dampening: 0,
    lrInVelocity: false,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /** `Adagrad(learning_rate, eps=1e-8)`, flax/optim/adagrad.py. */
  adagrad: { eps: 1e-8, epsPlacement: 'outside', initialAccumulator: 0, lrDecay: 0, weightDecay: 0 },
  /** `RMSProp(learning_rate, beta2=0.9, eps=1e-8, centered=False)`, flax/optim/rmsprop.py. */
  rmsprop: {
    alpha: 0.9,
    eps: 1e-8,
    epsPlacement: 'outside',
    centered: false,
    momentum: 0,
    nesterov: false,
    initialAccumulator: 0,
    biasCorrection: false,
    weightDecay: 0,
  },
  /**
   * `Adam(learning_rate, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)`, flax/optim/adam.py.
   *
   * Weight decay is that of AdamW, although the class is called Adam.
   */
  adam: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Adadelta(learning_rate, rho=0.9, eps=1e-6, weight_decay=0.0)`, flax/optim/adadelta.py at 484b56a7.
   *
   * Its docstring calls the weight decay L2; the code decouples it.
   */
  adadelta: {
    rho: 0.9,
    eps: 1e-6,
    previousAccumulator: false,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
});
