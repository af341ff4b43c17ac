// Adafactor (Shazeer & Stern 2018, Algorithms 4 and 5), as PyTorch: second moments that matrices keep by rows and columns.
//
//   β ← 1 − t^c;   ρ ← min(η, 1/√t)                 (RELATIVE_STEP; otherwise ρ = η)
//   α ← ρ·max(ε₂, rms(w))                           (SCALE_PARAMETER; otherwise α = ρ)
//   R ← R + (1−β)(mean of g² along rows − R)        (FACTORED; C likewise along columns; SUM: g² + ε₁)
//   √v ← max(√(R/max(mean R, ε₁))·√C, ε₁)           (SUM: without ε₁)
//   V ← V + (1−β)(g² − V);   √v ← max(√V, ε₁)       (of what is no matrix)
//   u ← g/√v;   u ← u/max(1, rms(u)/d)              (CLIP_UPDATE)
//   m ← β₁m + (1−β₁)αu;   w ← w − m                 (MOMENTUM; otherwise w ← w − αu)
//
// Decay acts on the weight that rms(w) is of: w − h.decay·w (DECAY), or w − α·d_w·w (DECAY_UPDATE).
// A matrix goes through it twice. With DIRECTING, `update` returns the gradient as it comes in; stages/factor make u of it, by
// `square_of`, `followed` and `divisor_of`; then u stands in place of the gradient.
//
// V → variance, m → exp_avg, 1−β → one_minus_beta2, ρ → relative_step, ε₁ → h.eps1, ε₂ → h.eps2, d → h.d, c → h.beta2_decay,
// 2^c → h.decay_of_two, 1−β₁ → h.one_minus_beta1, d_w → h.weight_decay, η → h.lr, α → tensor.step_size, √n → tensor.root_count

override DIRECTING: bool = false;
override FACTORED: bool = false;
override SUM: bool = false;
override RELATIVE_STEP: bool = true;
override SCALE_PARAMETER: bool = true;
override CLIP_UPDATE: bool = true;
override MOMENTUM: bool = false;
override DECAY: bool = false;
override DECAY_UPDATE: bool = false;

var<private> one_minus_beta2: f32;
var<private> relative_step: f32;

/// As `larger`, which is for lanes: keeps a NaN in x.
fn at_least(x: f32, least: f32) -> f32 {
  return select(x, least, x <= least);
}

fn prepare() {
  one_minus_beta2 = power_of_count(h.t, h.beta2_decay, h.decay_of_two);
  relative_step = h.lr;
  if (RELATIVE_STEP) {
    let most = 1.0 / sqrt(h.t);
    relative_step = select(most, h.lr, h.lr <= most);
  }
  if (FACTORED && !DIRECTING) {
    // The gradient was scaled when it was measured by rows and columns.
    h.grad_multiplier = 1.0;
  }
}

/// What means are taken of.
fn square_of(g: f32) -> f32 {
  var square = g * g;
  if (SUM) {
    square = square + h.eps1;
  }
  return square;
}

/// A mean of earlier steps, with that of this one.
fn followed(before: f32, mean: f32) -> f32 {
  return before + one_minus_beta2 * (mean - before);
}

/// √v of an element, from those of its row and column, and the mean of its matrix' rows.
fn divisor_of(row: f32, column: f32, mean_row: f32) -> f32 {
  if (SUM) {
    return sqrt(row / mean_row) * sqrt(column);
  }
  return at_least(sqrt(row / at_least(mean_row, h.eps1)) * sqrt(column), h.eps1);
}

/// u.
fn direction(g: lane) -> lane {
  if (FACTORED) {
    return g;
  }
  var square = g * g;
  if (SUM) {
    square = square + h.eps1;
  }
  variance = lerp(variance, square, one_minus_beta2);
  var divisor = sqrt(variance);
  if (!SUM) {
    divisor = larger(lane(h.eps1), divisor);
  }
  return g / divisor;
}

fn measure(w: lane, g: lane) -> Measured {
  return Measured(w, direction(g));
}

fn summarize(norms: Norms) {
  tensor.step_size = relative_step;
  if (SCALE_PARAMETER) {
    tensor.step_size = relative_step * at_least(norms[0] / tensor.root_count, h.eps2);
  }
  tensor.scale = tensor.step_size;
  if (CLIP_UPDATE) {
    tensor.scale = tensor.step_size / at_least(norms[1] / tensor.root_count / h.d, 1.0);
  }
}

fn update(w: lane, g: lane) -> lane {
  if (DIRECTING) {
    return g;
  }
  var u = tensor.scale * direction(g);
  if (MOMENTUM) {
    exp_avg = lerp(exp_avg, u, h.one_minus_beta1);
    u = exp_avg;
  }
  var before = w;
  if (DECAY) {
    before = w - h.decay * w;
  }
  if (DECAY_UPDATE) {
    before = w - (tensor.step_size * h.weight_decay) * w;
  }
  return before - u;
}
