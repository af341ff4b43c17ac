import { freezeConvention } from './convention.js';

/** Moonlight, github.com/MoonshotAI/Moonlight, examples/toy_train.py (Liu et al. 2025). */
export const moonlight = freezeConvention({
  /**
   * `Muon(lr=1e-3, wd=0.1, momentum=0.95, nesterov=True, ns_steps=5)`, examples/toy_train.py.
   *
   * Its momentum is a sum of gradients: times 1 − 0.95 it is `momentum_buffer`; so is its ε of 1e-7. It iterates in bfloat16.
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
    weightDecay: 0.1,
    weightDecayMode: 'decoupled',
  },
});
