import { freezeConvention } from './convention.js';

/** MLX, `mlx.optimizers`, python/mlx/optimizers/optimizers.py at commit 022eabb7. */
export const mlx = freezeConvention({
  /** `SGD(learning_rate, momentum=0.0, weight_decay=0.0, dampening=0.0, nesterov=False)`, optimizers.py. */
  sgd: { weightDecay: 0, weightDecayMode: 'l2' },
  /**
   * `SGD(learning_rate, momentum=…, weight_decay=0.0, dampening=0.0, nesterov=False)`, optimizers.py.
   *
   * Dampens the first step too, unlike PyTorch, whose names it uses.
   */
  momentum: {
    nesterov: false,
    dampening: 0,
    dampenFirstStep: true,
    lrInVelocity: false,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /** `Adagrad(learning_rate, eps=1e-8)`, optimizers.py. */
  adagrad: { eps: 1e-8, epsPlacement: 'outside', initialAccumulator: 0, lrDecay: 0, weightDecay: 0 },
  /** `RMSprop(learning_rate, alpha=0.99, eps=1e-8)`, optimizers.py. */
  rmsprop: {
    alpha: 0.99,
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
   * `Adam(learning_rate, betas=[0.9, 0.999], eps=1e-8, bias_correction=False)`, optimizers.py.
   *
   * No bias correction unless asked for, unlike the paper and every other library here. The class's docstring prints ε
   * inside the root; the code adds it outside.
   */
  adam: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: false,
    weightDecay: 0,
  },
  /**
   * `AdamW(learning_rate, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.01, bias_correction=False)`, optimizers.py.
   *
   * No bias correction unless asked for, as its Adam.
   */
  adamw: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: false,
    weightDecay: 0.01,
    weightDecayMode: 'decoupled',
    cautious: false,
  },
  /**
   * `Adamax(learning_rate, betas=[0.9, 0.999], eps=1e-8)`, optimizers.py.
   *
   * No bias correction at all.
   */
  adamax: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    biasCorrection: false,
    weightDecay: 0,
  },
  /** `AdaDelta(learning_rate, rho=0.9, eps=1e-6)`, optimizers.py. */
  adadelta: { rho: 0.9, eps: 1e-6, previousAccumulator: false, weightDecay: 0 },
  /** `Lion(learning_rate, betas=[0.9, 0.99], weight_decay=0.0)`, optimizers.py. */
  lion: { betas: [0.9, 0.99], weightDecay: 0, weightDecayMode: 'decoupled', cautious: false },
});
