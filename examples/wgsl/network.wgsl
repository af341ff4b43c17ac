// A network of one input, HIDDEN units and one output: out(x) = bias + sum of u.output * tanh(u.weight * x + u.bias).

override HIDDEN: u32;

struct Unit {
  weight: f32,
  bias: f32,
  output: f32,
}

@group(0) @binding(0) var<storage, read> samples: array<vec2f>; // x, and the y to be learned
@group(0) @binding(1) var<storage, read> units: array<Unit>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> errors: array<f32>; // out(x) - y, per sample
@group(0) @binding(4) var<storage, read_write> unit_grads: array<Unit>;
@group(0) @binding(5) var<storage, read_write> bias_grad: array<f32>;
@group(0) @binding(6) var<storage, read_write> loss: array<f32>;

// An invocation per sample.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&samples)) {
    return;
  }
  let sample = samples[id.x];
  var out = bias[0];
  for (var k = 0u; k < HIDDEN; k++) {
    out += units[k].output * tanh(units[k].weight * sample.x + units[k].bias);
  }
  errors[id.x] = out - sample.y;
}

// An invocation per hidden unit, and one for the last bias: the gradient of the mean squared error.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let count = arrayLength(&samples);
  let scale = 2 / f32(count);
  if (id.x < HIDDEN) {
    let unit = units[id.x];
    var grad = Unit(0, 0, 0);
    for (var i = 0u; i < count; i++) {
      let x = samples[i].x;
      let hidden = tanh(unit.weight * x + unit.bias);
      let inner = errors[i] * unit.output * (1 - hidden * hidden);
      grad.weight += inner * x;
      grad.bias += inner;
      grad.output += errors[i] * hidden;
    }
    unit_grads[id.x] = Unit(scale * grad.weight, scale * grad.bias, scale * grad.output);
  } else if (id.x == HIDDEN) {
    var sum = 0.0;
    var squares = 0.0;
    for (var i = 0u; i < count; i++) {
      sum += errors[i];
      squares += errors[i] * errors[i];
    }
    bias_grad[0] = scale * sum;
    loss[0] = squares / f32(count);
  }
}
