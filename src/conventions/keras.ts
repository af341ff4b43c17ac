import { freezeConvention } from './convention.js';

/**
 * Keras 3.15.1, `keras.optimizers`.
 *
 * Weight decay is `Optimizer._apply_weight_decay` of base_optimizer.py: w − ηdw, before the update. The optimizers of
 * Keras 2 (`tf.keras.optimizers.legacy`, tensorflow/python/keras/optimizer_v2) differ in two: RMSprop has ε outside the
 * root unless it has momentum, and Adagrad has it outside.
 */
export const keras = freezeConvention({
  /** `SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None)`, keras/src/optimizers/sgd.py. */
  sgd: { lr: 0.01, weightDecay: 0, weightDecayMode: 'decoupled' },
  /** `SGD(learning_rate=0.01, momentum=…, nesterov=False, weight_decay=None)`, keras/src/optimizers/sgd.py. */
  momentum: {
    lr: 0.01,
    nesterov: false,
    dampening: 0,
    lrInVelocity: true,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Adagrad(learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=None)`,
   * keras/src/optimizers/adagrad.py.
   */
  adagrad: {
    lr: 0.001,
    eps: 1e-7,
    epsPlacement: 'inside',
    initialAccumulator: 0.1,
    lrDecay: 0,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `RMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=None)`,
   * keras/src/optimizers/rmsprop.py.
   */
  rmsprop: {
    lr: 0.001,
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
    weightDecayMode: 'decoupled',
  },
  /**
   * `Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=None)`,
   * keras/src/optimizers/adam.py.
   */
  adam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'hat',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `AdamW(learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False)`,
   * keras/src/optimizers/adamw.py.
   */
  adamw: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'hat',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 0.004,
    weightDecayMode: 'decoupled',
    cautious: false,
  },
  /**
   * `Adamax(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None)`,
   * keras/src/optimizers/adamax.py.
   */
  adamax: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'outside',
    biasCorrection: true,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Nadam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None)`,
   * keras/src/optimizers/nadam.py.
   *
   * Its momentum is μₜ = β₁(1 − ½·0.96ᵗ), which nears β₁ 250 times faster than PyTorch's.
   */
  nadam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'outside',
    momentumDecay: 1,
    momentumDecayBase: 0.96,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Adadelta(learning_rate=0.001, rho=0.95, epsilon=1e-7, weight_decay=None)`, keras/src/optimizers/adadelta.py.
   *
   * The paper has no learning rate, which is one of 1.
   */
  adadelta: {
    lr: 0.001,
    rho: 0.95,
    eps: 1e-7,
    previousAccumulator: false,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /** `Lion(learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=None)`, keras/src/optimizers/lion.py. */
  lion: { lr: 0.001, betas: [0.9, 0.99], weightDecay: 0, weightDecayMode: 'decoupled', cautious: false },
  /**
   * `Ftrl(learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1, l1_regularization_strength=0.0,
   * l2_regularization_strength=0.0, l2_shrinkage_regularization_strength=0.0, beta=0.0, weight_decay=None)`,
   * keras/src/optimizers/ftrl.py.
   */
  ftrl: {
    lr: 0.001,
    lrPower: -0.5,
    initialAccumulator: 0.1,
    l1: 0,
    l2: 0,
    l2Shrinkage: 0,
    beta: 0,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Lamb(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None)`, keras/src/optimizers/lamb.py.
   *
   * Weight decay is not part of what the trust ratio measures.
   */
  lamb: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-7,
    epsPlacement: 'outside',
    biasCorrection: true,
    clampValue: 0,
    alwaysAdapt: true,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `ScheduleFreeAdamW(learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0, weight_decay=None)`,
   * keras/src/optimizers/schedule_free_adamw.py.
   *
   * Averages all steps alike, those of the warm-up too, and decays y alone.
   */
  scheduleFreeAdamw: {
    lr: 0.0025,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    warmupSteps: 0,
    r: 0,
    weightLrPower: 0,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Muon(learning_rate=0.001, weight_decay=0.004, momentum=0.95, ns_steps=5, nesterov=True, rms_rate=0.2)`,
   * keras/src/optimizers/muon.py.
   *
   * Its momentum is a sum of gradients: times 1 − 0.95 it is `momentum_buffer`; so is its ε of 1e-7. What is no matrix, and embeddings, it gives to AdamW.
   */
  muon: {
    lr: 0.001,
    momentum: 0.95,
    nesterov: true,
    biasCorrection: false,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    nsSteps: 5,
    eps: 5e-9,
    epsPlacement: 'sum',
    adjustLrFn: 'match_rms_adamw',
    rmsScale: 0.2,
    weightDecay: 0.004,
    weightDecayMode: 'decoupled',
  },
  /**
   * `Adafactor(learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=0.001, clip_threshold=1.0, relative_step=True)`,
   * keras/src/optimizers/adafactor.py.
   *
   * Its steps are relative whatever `relative_step` says. Its `weight_decay` acts first, so that steps are relative to decayed weights.
   */
  adafactor: {
    lr: 0.001,
    beta2Decay: -0.8,
    eps: [1e-30, 1e-3],
    epsPlacement: 'sum',
    d: 1,
    relativeStep: true,
    scaleParameter: true,
    beta1: 0,
    minDimSizeToFactor: 1,
    weightDecay: 0,
  },
});
