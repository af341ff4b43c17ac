import { freezeConvention } from './convention.js';

/**
 * TensorFlow.js 4.22.0, `tf.train`.
 *
 * Where ε is not given it is the backend's: 1e-7, and 1e-4 on devices whose textures hold 16-bit floats. None has
 * weight decay.
 */
export const tfjs = freezeConvention({
  /** `sgd(learningRate)`, tfjs-core/src/optimizers/sgd_optimizer.ts. */
  sgd: { weightDecay: 0 },
  /** `momentum(learningRate, momentum, useNesterov = false)`, tfjs-core/src/optimizers/momentum_optimizer.ts. */
  momentum: { nesterov: false, dampening: 0, lrInVelocity: false, weightDecay: 0 },
  /**
   * `adagrad(learningRate, initialAccumulatorValue = 0.1)`, tfjs-core/src/optimizers/adagrad_optimizer.ts.
   *
   * ε is always the backend's.
   */
  adagrad: { eps: 1e-7, epsPlacement: 'inside', initialAccumulator: 0.1, lrDecay: 0, weightDecay: 0 },
  /**
   * `rmsprop(learningRate, decay = 0.9, momentum = 0, epsilon = null, centered = false)`,
   * tfjs-core/src/optimizers/rmsprop_optimizer.ts.
   *
   * The centered form subtracts ε, √(s−m²−ε), where TensorFlow adds it, and yields NaN where the variance is below ε.
   * Not repeated here unless asked for: `bugCompatible: true` together with `centered: true`.
   */
  rmsprop: {
    alpha: 0.9,
    eps: 1e-7,
    epsPlacement: 'inside',
    centered: false,
    momentum: 0,
    nesterov: false,
    lrInVelocity: true,
    initialAccumulator: 0,
    biasCorrection: false,
    weightDecay: 0,
  },
  /**
   * `adam(learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = null)`,
   * tfjs-core/src/optimizers/adam_optimizer.ts.
   */
  adam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0,
  },
  /**
   * `adamax(learningRate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = null, decay = 0)`,
   * tfjs-core/src/optimizers/adamax_optimizer.ts.
   *
   * `decay` is `(step) => lr / (1 + step * decay)` here.
   */
  adamax: {
    lr: 0.002,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'outside',
    biasCorrection: true,
    weightDecay: 0,
  },
  /**
   * `adadelta(learningRate = 0.001, rho = 0.95, epsilon = null)`, tfjs-core/src/optimizers/adadelta_optimizer.ts.
   *
   * Divides by the average of squared gradients as it was before the step. That average and the one of squared steps
   * are then the same numbers for ever, their quotient is 1, and the rule is plain `sgd`, whatever ρ and ε. Not repeated
   * here unless asked for: `previousAccumulator: true`.
   */
  adadelta: { lr: 0.001, rho: 0.95, eps: 1e-7, weightDecay: 0 },
});
