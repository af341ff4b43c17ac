// NovoGrad (Ginsburg et al. 2019, Algorithm 1): momentum on gradients that are normalised per tensor.
//
//   v ← β₂v + (1−β₂)‖g‖²          one per tensor; v ← ‖g‖² at the first step
//   u ← g/(√v+ε) + dw              (DECAY_UPDATE; otherwise decay is in g already, or nowhere)
//   m ← β₁m + u                    (GRAD_AVERAGING: (1−β₁)u, but u at the first step unless AVERAGE_FIRST_STEP)
//   w ← w − ηm                     (LR_IN_VELOCITY: m ← β₁m + ηu, w ← w − m)
//
// With AMSGRAD, the largest v so far is in its place. m → exp_avg, v → tensor.exp_avg_sq, its maximum →
// tensor.max_exp_avg_sq, √v+ε → tensor.denominator, β₁ → h.beta1, 1−β₁ → h.one_minus_beta1, 1−β₂ → h.one_minus_beta2,
// ε → h.eps, d → h.weight_decay, η → h.lr

override AMSGRAD: bool = false;
override DECAY_UPDATE: bool = false;
override GRAD_AVERAGING: bool = false;
override AVERAGE_FIRST_STEP: bool = true;
override LR_IN_VELOCITY: bool = false;

var<private> share: f32;

fn prepare() {
  share = select(h.one_minus_beta1, 1.0, h.t == 1.0 && !AVERAGE_FIRST_STEP);
}

fn measure(w: lane, g: lane) -> Measured {
  return Measured(g);
}

fn summarize(norms: Norms) {
  let square = norms[0] * norms[0];
  if (h.t == 1.0) {
    tensor.exp_avg_sq = square;
  } else {
    tensor.exp_avg_sq = tensor.exp_avg_sq + h.one_minus_beta2 * (square - tensor.exp_avg_sq);
  }
  var v = tensor.exp_avg_sq;
  if (AMSGRAD) {
    // As `larger`, which is for lanes.
    v = select(v, tensor.max_exp_avg_sq, v <= tensor.max_exp_avg_sq);
    tensor.max_exp_avg_sq = v;
  }
  tensor.denominator = sqrt(v) + h.eps;
}

fn update(w: lane, g: lane) -> lane {
  var u = g / tensor.denominator;
  if (DECAY_UPDATE) {
    u = u + h.weight_decay * w;
  }
  if (GRAD_AVERAGING) {
    u = share * u;
  }
  if (LR_IN_VELOCITY) {
    exp_avg = h.beta1 * exp_avg + h.lr * u;
    return w - exp_avg;
  }
  exp_avg = h.beta1 * exp_avg + u;
  return w - h.lr * exp_avg;
}
