import { freezeConvention } from './convention.js';

/** transformers, github.com/huggingface/transformers, src/transformers/optimization.py at commit 005edacb. */
export const transformers = freezeConvention({
  /**
   * `Adafactor(params, lr=None, eps=(1e-30, 0.001), clip_threshold=1.0, decay_rate=-0.8, beta1=None, weight_decay=0.0,
   * scale_parameter=True, relative_step=True, warmup_init=False)`, src/transformers/optimization.py.
   *
   * With a relative step it takes no learning rate, and 0.01 is the largest; `warmup_init` is `lr: (step) => 1e-6 * (step + 1)`. What it
   * calls `exp_avg_sq_row`, `exp_avg_sq_col` and `exp_avg_sq` is `row_var`, `col_var` and `variance`.
   */
  adafactor: {
    lr: 0.01,
    beta2Decay: -0.8,
    eps: [1e-30, 1e-3],
    epsPlacement: 'sum',
    d: 1,
    relativeStep: true,
    scaleParameter: true,
    beta1: 0,
    minDimSizeToFactor: 1,
    weightDecay: 0,
    weightDecayMode: 'update',
  },
});
