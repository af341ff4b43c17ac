import { freezeConvention } from './convention.js';

/** PyTorch 2.13.0, `torch.optim`. */
export const torch = freezeConvention({
  /** `SGD(params, lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False)`, torch/optim/sgd.py. */
  sgd: { lr: 0.001, weightDecay: 0, weightDecayMode: 'l2' },
  /**
   * `SGD(params, lr=0.001, momentum=…, dampening=0, weight_decay=0, nesterov=False)`, torch/optim/sgd.py,
   * `_single_tensor_sgd`.
   *
   * The first step starts the velocity with the whole gradient, whatever the dampening.
   */
  momentum: {
    lr: 0.001,
    nesterov: false,
    dampening: 0,
    dampenFirstStep: false,
    lrInVelocity: false,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `Adagrad(params, lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10)`,
   * torch/optim/adagrad.py, `_single_tensor_adagrad`.
   */
  adagrad: {
    lr: 0.01,
    eps: 1e-10,
    epsPlacement: 'outside',
    initialAccumulator: 0,
    lrDecay: 0,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `RMSprop(params, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False)`,
   * torch/optim/rmsprop.py, `_single_tensor_rmsprop`.
   *
   * Where rounding takes the variance of the centered form below zero, PyTorch yields NaN; here it is held at zero.
   */
  rmsprop: {
    lr: 0.01,
    alpha: 0.99,
    eps: 1e-8,
    epsPlacement: 'outside',
    centered: false,
    momentum: 0,
    nesterov: false,
    lrInVelocity: false,
    initialAccumulator: 0,
    biasCorrection: false,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `Adam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False)`, torch/optim/adam.py,
   * `_single_tensor_adam`.
   *
   * Before pull request 22628 of 2019, ε was added to the uncorrected √v (`epsPlacement` 'hat').
   */
  adam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    amsgradCorrected: false,
    biasCorrection: true,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `AdamW(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False)`, torch/optim/adamw.py.
   */
  adamw: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    amsgrad: false,
    amsgradCorrected: false,
    biasCorrection: true,
    weightDecay: 0.01,
    weightDecayMode: 'decoupled',
    cautious: false,
  },
  /** `Adamax(params, lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)`, torch/optim/adamax.py. */
  adamax: {
    lr: 0.002,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'inside',
    biasCorrection: true,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /** `Adadelta(params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0)`, torch/optim/adadelta.py. */
  adadelta: {
    lr: 1,
    rho: 0.9,
    eps: 1e-6,
    previousAccumulator: false,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `NAdam(params, lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=0.004,
   * decoupled_weight_decay=False)`, torch/optim/nadam.py, `_single_tensor_nadam`.
   *
   * Keeps the product of the momenta in float32 unless PyTorch's default type is float64.
   */
  nadam: {
    lr: 0.002,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'outside',
    momentumDecay: 0.004,
    momentumDecayBase: 0.96,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `RAdam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False)`,
   * torch/optim/radam.py, `_single_tensor_radam`.
   *
   * Adds ε to the uncorrected √v, unlike its Adam.
   */
  radam: {
    lr: 0.001,
    betas: [0.9, 0.999],
    eps: 1e-8,
    epsPlacement: 'hat',
    amsgrad: false,
    rectify: true,
    rectificationThreshold: 5,
    weightDecay: 0,
    weightDecayMode: 'l2',
  },
  /**
   * `Muon(params, lr=0.001, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7, ns_steps=5,
   * adjust_lr_fn=None)`, torch/optim/_muon.py, `_single_tensor_muon`.
   *
   * It iterates in bfloat16, which moves directions by about 1 %.
   */
  muon: {
    lr: 0.001,
    momentum: 0.95,
    nesterov: true,
    biasCorrection: false,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    nsSteps: 5,
    eps: 1e-7,
    epsPlacement: 'max',
    adjustLrFn: 'original',
    weightDecay: 0.1,
    weightDecayMode: 'decoupled',
  },
  /** `Adafactor(params, lr=0.01, beta2_decay=-0.8, eps=(None, 0.001), d=1.0, weight_decay=0.0)`, torch/optim/_adafactor.py, `_single_tensor_adafactor`. None is float32's 2⁻²³. */
  adafactor: {
    lr: 0.01,
    beta2Decay: -0.8,
    eps: [2 ** -23, 1e-3],
    epsPlacement: 'max',
    d: 1,
    relativeStep: true,
    scaleParameter: true,
    beta1: 0,
    minDimSizeToFactor: 1,
    weightDecay: 0,
    weightDecayMode: 'decoupled',
  },
});
