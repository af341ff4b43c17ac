import { freezeConvention } from './convention.js';

/**
 * Sonnet 2, `sonnet.optimizers` (sonnet/src/optimizers at commit cf153705, rmsprop.py at c87468e6). It has no Adagrad,
 * and none has weight decay.
 */
export const sonnet = freezeConvention({
  /** `SGD(learning_rate)`, sonnet/src/optimizers/sgd.py. */
  sgd: { weightDecay: 0 },
  /** `Momentum(learning_rate, momentum, use_nesterov=False)`, sonnet/src/optimizers/momentum.py. */
  momentum: { nesterov: false, dampening: 0, lrInVelocity: false, weightDecay: 0 },
  /**
   * `RMSProp(learning_rate, decay=0.9, momentum=0.0, epsilon=1e-10, centered=False)`,
   * sonnet/src/optimizers/rmsprop.py.
   *
   * The average starts at 0, unlike that of TensorFlow, whose default ε it keeps: a first gradient below 1e-5 is
   * damped, any other makes a step of η/√(1−α).
   */
  rmsprop: {
    alpha: 0.9,
    eps: 1e-10,
    epsPlacement: 'inside',
    centered: false,
    momentum: 0,
    nesterov: false,
    lrInVelocity: true,
    initialAccumulator: 0,
    biasCorrection: false,
    weightDecay: 0,
  },
  /** `Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8)`, sonnet/src/optimizers/adam.py. */
  adam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0,
  },
});
