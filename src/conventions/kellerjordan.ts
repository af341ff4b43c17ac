import { freezeConvention } from './convention.js';

/** Keller Jordan's Muon, github.com/KellerJordan/Muon, muon.py at commit 00ba60d3. */
export const kellerjordan = freezeConvention({
  /**
   * `SingleDeviceMuon(params, lr=0.02, weight_decay=0, momentum=0.95)`, muon.py, `muon_update`.
   *
   * It iterates in bfloat16. Of four axes, it takes the last three for columns.
   */
  muon: {
    lr: 0.02,
    momentum: 0.95,
    nesterov: true,
    biasCorrection: false,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    nsSteps: 5,
    eps: 1e-7,
    epsPlacement: 'sum',
    adjustLrFn: 'original',
    weightDecay: 0,
  },
});
