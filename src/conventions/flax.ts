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
  /**
   * `AdaBelief(learning_rate, beta1=0.9, beta2=0.999, eps=1e-16, weight_decay=0.0)`, flax/optim/adabelief.py at
   * e5a27a58.
   */
  adabelief: {
    betas: [0.9, 0.999],
    eps: 1e-16,
    epsPlacement: 'inside',
    amsgrad: false,
    rectify: false,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
  /**
   * `LARS(learning_rate, beta=0.9, weight_decay=0, trust_coefficient=0.001, eps=0, nesterov=False)`, flax/optim/lars.py at
   * d9e0607e.
   */
  lars: {
    momentum: 0.9,
    nesterov: false,
    dampening: 0,
    lrInVelocity: true,
    trustCoefficient: 0.001,
    eps: 0,
    trustClip: false,
    alwaysAdapt: true,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
  /**
   * `LAMB(learning_rate, beta1=0.9, beta2=0.999, weight_decay=0, eps=1e-6)`, flax/optim/lamb.py at 484b56a7.
   *
   * Where only one of the norms is 0, its trust ratio is 0 or infinite; here it is 1.
   */
  lamb: {
    betas: [0.9, 0.999],
    eps: 1e-6,
    epsPlacement: 'outside',
    biasCorrection: true,
    clampValue: 0,
    alwaysAdapt: true,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
  /**
   * `Adafactor(learning_rate=None, factored=True, multiply_by_parameter_scale=True, beta1=None, decay_rate=0.8, step_offset=0,
   * clipping_threshold=1.0, weight_decay_rate=None, min_dim_size_to_factor=128, epsilon1=1e-30, epsilon2=0.001)`, flax/optim/adafactor.py.
   *
   * It factors the two longest axes; of more than two, permute them so that those are the last.
   */
  adafactor: {
    beta2Decay: -0.8,
    eps: [1e-30, 1e-3],
    epsPlacement: 'sum',
    d: 1,
    relativeStep: false,
    scaleParameter: true,
    beta1: 0,
    minDimSizeToFactor: 128,
    weightDecay: 0,
    weightDecayMode: 'raw',
  },
});
