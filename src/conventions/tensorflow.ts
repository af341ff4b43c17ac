import { freezeConvention } from './convention.js';

/**
 * TensorFlow 2.21.0, `tf.compat.v1.train`: TensorFlow's own optimizers; `tf.keras.optimizers` is Keras.
 *
 * The formulas are those of the kernels in tensorflow/core/kernels/training_ops.cc. None has weight decay. NovoGrad is that of
 * TensorFlow Addons.
 */
export const tensorflow = freezeConvention({
  /** `GradientDescentOptimizer(learning_rate)`, tensorflow/python/training/gradient_descent.py. */
  sgd: { weightDecay: 0 },
  /** `MomentumOptimizer(learning_rate, momentum, use_nesterov=False)`, tensorflow/python/training/momentum.py. */
  momentum: { nesterov: false, dampening: 0, lrInVelocity: false, weightDecay: 0 },
  /**
   * `AdagradOptimizer(learning_rate, initial_accumulator_value=0.1)`, tensorflow/python/training/adagrad.py.
   *
   * There is no ε. TensorFlow refuses an initial accumulator of 0.
   */
  adagrad: { eps: 0, initialAccumulator: 0.1, lrDecay: 0, weightDecay: 0 },
  /**
   * `RMSPropOptimizer(learning_rate, decay=0.9, momentum=0.0, epsilon=1e-10, centered=False)`,
   * tensorflow/python/training/rmsprop.py.
   *
   * The average of squared gradients starts at 1, not at 0, which damps the first steps.
   */
  rmsprop: {
    alpha: 0.9,
    eps: 1e-10,
    epsPlacement: 'inside',
    centered: false,
    momentum: 0,
    nesterov: false,
    lrInVelocity: true,
    initialAccumulator: 1,
    biasCorrection: false,
    weightDecay: 0,
  },
  /** `AdamOptimizer(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8)`, tensorflow/python/training/adam.py. */
  adam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'hat',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0,
  },
  /**
   * `AdadeltaOptimizer(learning_rate=0.001, rho=0.95, epsilon=1e-8)`, tensorflow/python/training/adadelta.py.
   *
   * The paper has no learning rate, which is one of 1.
   */
  adadelta: { lr: 0.001, rho: 0.95, eps: 1e-8, previousAccumulator: false, weightDecay: 0 },
  /**
   * `FtrlOptimizer(learning_rate, learning_rate_power=-0.5, initial_accumulator_value=0.1,
   * l1_regularization_strength=0.0, l2_regularization_strength=0.0, l2_shrinkage_regularization_strength=0.0,
   * beta=None)`, tensorflow/python/training/ftrl.py.
   */
  ftrl: {
    lrPower: -0.5,
    initialAccumulator: 0.1,
    l1: 0,
    l2: 0,
    l2Shrinkage: 0,
    beta: 0,
    weightDecay: 0,
  },
  /**
   * `tfa.optimizers.NovoGrad(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0,
   * grad_averaging=False, amsgrad=False)`, tensorflow_addons/optimizers/novograd.py at 0f566af9.
   *
   * Its `grad_averaging` leaves the first step out, and its first moment holds the learning rate. An `epsilon` of 0 is 1e-7.
   */
  novograd: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    gradAveraging: false,
    averageFirstStep: false,
    lrInVelocity: true,
    amsgrad: false,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
});
