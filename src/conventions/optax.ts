import { freezeConvention } from './convention.js';

/**
 * optax 0.2.8. None of these has weight decay; `optax.chain(optax.add_decayed_weights(d), …)` is `weightDecayMode` 'l2'.
 */
export const optax = freezeConvention({
  /** `sgd(learning_rate, momentum=None, nesterov=False)`, optax/_src/alias.py. */
  sgd: { weightDecay: 0 },
  /** `sgd(learning_rate, momentum=…, nesterov=False)`, optax/_src/alias.py, and `trace` of optax/transforms. */
  momentum: { nesterov: false, dampening: 0, lrInVelocity: false, weightDecay: 0 },
  /**
   * `adagrad(learning_rate, initial_accumulator_value=0.1, eps=1e-7)`, optax/_src/alias.py, `scale_by_rss` of
   * transform.py.
   *
   * An element whose accumulator is 0 is not moved; here that needs ε > 0.
   */
  adagrad: { eps: 1e-7, epsPlacement: 'inside', initialAccumulator: 0.1, lrDecay: 0, weightDecay: 0 },
  /**
   * `rmsprop(learning_rate, decay=0.9, eps=1e-8, initial_scale=0.0, eps_in_sqrt=True, centered=False, momentum=None,
   * nesterov=False, bias_correction=False)`, optax/_src/alias.py, `scale_by_rms` and `scale_by_stddev` of transform.py.
   */
  rmsprop: {
    alpha: 0.9,
    eps: 1e-8,
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
   * `adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False)`, optax/_src/alias.py,
   * `scale_by_adam` of transform.py.
   *
   * `eps_root` alone, with `eps=0`, is `epsPlacement` 'inside'. `optax.amsgrad` is `amsgrad` with `amsgradCorrected`: it takes
   * the maximum over v̂. Its `bias_correction_nu=False` takes it over v, but then leaves v uncorrected.
   */
  adam: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    amsgradCorrected: true,
    biasCorrection: true,
    weightDecay: 0,
  },
  /**
   * `adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=0.0001, nesterov=False)`,
   * optax/_src/alias.py.
   *
   * Decays a hundred times less than PyTorch unless told otherwise.
   */
  adamw: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    biasCorrection: true,
    weightDecay: 1e-4,
    weightDecayMode: 'decoupled',
    cautious: false,
  },
  /** `adamax(learning_rate, b1=0.9, b2=0.999, eps=1e-8)`, optax/_src/alias.py, `scale_by_adamax` of transform.py. */
  adamax: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'inside',
    biasCorrection: true,
    weightDecay: 0,
  },
  /**
   * `nadam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0)`, optax/_src/alias.py: its `adam` with
   * `nesterov=True`, `scale_by_adam` of transform.py.
   *
   * The momentum is β₁ from the first step on. `nadamw` decays as `adamw`.
   */
  nadam: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    momentumDecayBase: 0,
    weightDecay: 0,
  },
  /**
   * `radam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, threshold=5.0, nesterov=False)`,
   * optax/_src/alias.py, `scale_by_radam` of transform.py.
   *
   * `eps_root` as for `adam`.
   */
  radam: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    rectify: true,
    rectificationThreshold: 5,
    weightDecay: 0,
  },
  /**
   * `adabelief(learning_rate, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, nesterov=False)`, optax/_src/alias.py,
   * `scale_by_belief` of transform.py.
   *
   * `eps_root` is added to s and `eps` to √ŝ; here ε is one number for both. `eps_root=0` is `epsPlacement` 'outside'.
   */
  adabelief: {
    betas: [0.9, 0.999],
    eps: 1e-16,
    epsPlacement: 'inside',
    amsgrad: false,
    rectify: false,
    weightDecay: 0,
  },
  /**
   * `adadelta(learning_rate=None, rho=0.9, eps=1e-6, weight_decay=0.0)`, optax/_src/alias.py, `scale_by_adadelta` of
   * transform.py.
   */
  adadelta: { rho: 0.9, eps: 1e-6, previousAccumulator: false, weightDecay: 0, weightDecayMode: 'l2' },
  /** `lion(learning_rate, b1=0.9, b2=0.99, weight_decay=0.001)`, optax/_src/alias.py. */
  lion: { betas: [0.9, 0.99], weightDecay: 0.001, weightDecayMode: 'decoupled', cautious: false },
  /** `yogi(learning_rate, b1=0.9, b2=0.999, eps=0.001)`, optax/_src/alias.py, `scale_by_yogi` of transform.py. */
  yogi: {
    betas: [0.9, 0.999],
    eps: 0.001,
    epsPlacement: 'outside',
    initialAccumulator: 1e-6,
    initialMoment: 1e-6,
    weightDecay: 0,
  },
  /** `signum(learning_rate, beta=0.9)`, optax/_src/alias.py. */
  signum: { momentum: 0.9, weightDecay: 0 },
  /**
   * `lars(learning_rate, weight_decay=0.0, weight_decay_mask=True, trust_coefficient=0.001, eps=0.0, trust_ratio_mask=True,
   * momentum=0.9, nesterov=False)`, optax/_src/alias.py, `scale_by_trust_ratio` of transform.py.
   *
   * Measures g + dw, where others add ‖g‖ and d‖w‖. What its masks leave out belongs in a group of its own.
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
    weightDecayMode: 'l2',
  },
  /**
   * `lamb(learning_rate, b1=0.9, b2=0.999, eps=1e-6, eps_root=0.0, weight_decay=0.0)`, optax/_src/alias.py.
   *
   * `eps_root` as for `adam`.
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
   * `novograd(learning_rate, b1=0.9, b2=0.25, eps=1e-6, eps_root=0.0, weight_decay=0.0)`, optax/_src/alias.py,
   * `scale_by_novograd` of transform.py.
   */
  novograd: {
    betas: [0.9, 0.25],
    eps: 1e-6,
    gradAveraging: false,
    lrInVelocity: false,
    amsgrad: false,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
  /**
   * `contrib.schedule_free_sgd(learning_rate=1.0, warmup_steps=None, b1=0.9, weight_decay=None, weight_lr_power=2.0)`,
   * optax/contrib/_schedule_free.py.
   *
   * In a warm-up, z takes the learning rate of the step before, and its weight that of this one.
   */
  scheduleFreeSgd: {
    lr: 1,
    momentum: 0.9,
    warmupSteps: 0,
    r: 0,
    weightLrPower: 2,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `contrib.schedule_free_adamw(learning_rate=0.0025, warmup_steps=None, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0,
   * weight_lr_power=2.0)`, optax/contrib/_schedule_free.py.
   *
   * Warm-up as for `scheduleFreeSgd`.
   */
  scheduleFreeAdamw: {
    lr: 0.0025,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    warmupSteps: 0,
    r: 0,
    weightLrPower: 2,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
  /**
   * `contrib.muon(learning_rate, ns_coeffs=(3.4445, -4.775, 2.0315), ns_steps=5, beta=0.95, eps=1e-8, weight_decay=0.0, nesterov=True)`,
   * optax/contrib/_muon.py, `scale_by_muon`.
   *
   * Its matrices are [in, out]. What has other than two axes it gives to AdamW.
   */
  muon: {
    momentum: 0.95,
    nesterov: true,
    biasCorrection: true,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    nsSteps: 5,
    eps: 1e-8,
    epsPlacement: 'sum',
    adjustLrFn: 'transposed',
    weightDecay: 0,
  },
  /**
   * `adafactor(learning_rate=None, min_dim_size_to_factor=128, decay_rate=0.8, decay_offset=0, multiply_by_parameter_scale=True,
   * clipping_threshold=1.0, momentum=None, weight_decay_rate=None, eps=1e-30, factored=True)`, optax/_src/alias.py,
   * optax/_src/factorized.py.
   *
   * It factors the two longest axes; of more than two, permute them so that those are the last. Without a learning rate, steps are those
   * of 1.
   */
  adafactor: {
    lr: 1,
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
