import { defaultDevice, init, jit, numpy, tree, valueAndGrad } from '@jax-js/jax';
import { adam, schedules } from 'webgpu-optim';
import { fusedOptimizer } from 'webgpu-optim/jax';

const HIDDEN = 32;
const SAMPLES = 256;
const STEPS = 300;

const log = (text) => document.querySelector('#log').append(`${text}\n`);

if (!(await navigator.gpu?.requestAdapter())) {
  log('No WebGPU here: use a recent Chrome, Edge or Firefox.');
  throw new Error('No WebGPU.');
}
await init('webgpu');
defaultDevice('webgpu');

// What is to be learned: a sine.
const points = Float32Array.from({ length: SAMPLES }, (_, k) => (2 * k) / (SAMPLES - 1) - 1);
const x = numpy.array(points, { shape: [SAMPLES, 1] });
const y = numpy.array(
  points.map((value) => Math.sin(4 * value)),
  { shape: [SAMPLES, 1] },
);

/** Spread evenly, which does for so small a network. */
const spread = (from, to) =>
  Float32Array.from({ length: HIDDEN }, (_, k) => from + ((to - from) * (k + 0.5)) / HIDDEN);
let params = {
  hidden: {
    kernel: numpy.array(
      spread(0, 1).map((_, k) => (k % 2 === 0 ? 2 : -2)),
      { shape: [1, HIDDEN] },
    ),
    bias: numpy.array(spread(-2, 2)),
  },
  output: { kernel: numpy.zeros([HIDDEN, 1]), bias: numpy.zeros([1]) },
};
const loss = ({ hidden, output }, inputs, targets) => {
  const units = numpy.tanh(numpy.matmul(inputs, hidden.kernel).add(hidden.bias));
  return numpy.square(numpy.matmul(units, output.kernel).add(output.bias).sub(targets)).mean();
};
const lossAndGrads = jit(valueAndGrad(loss));

const optimizer = await fusedOptimizer(
  adam({ lr: schedules.cosine({ lr: 0.03, tMax: STEPS }) }),
  tree.ref(params),
);
for (let step = 0; step <= STEPS; step++) {
  const [value, grads] = lossAndGrads(tree.ref(params), x.ref, y.ref);
  params = optimizer.step(grads, params); // takes both, gives the new ones
  if (step % 50 === 0) log(`step ${step}: loss ${(await value.jsAsync()).toFixed(5)}`);
  else value.dispose();
}
log('Done.');
