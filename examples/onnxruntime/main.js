import * as ort from 'onnxruntime-web/webgpu';
import { adam } from 'webgpu-optim';
import { OnnxTrainer } from 'webgpu-optim/onnxruntime';

const BATCH = 64; // as in package.json, where `npm run model` makes the graphs in public/
const STEPS = 150;

const log = (text) => document.querySelector('#log').append(`${text}\n`);

if (!(await navigator.gpu?.requestAdapter())) {
  log('No WebGPU here: use a recent Chrome, Edge or Firefox.');
  throw new Error('No WebGPU.');
}

// What is to be learned: which points lie inside a circle.
const points = Array.from({ length: 64 * BATCH }, () => [2 * Math.random() - 1, 2 * Math.random() - 1]);
const isInside = ([a, b]) => a * a + b * b < 0.6;

function batchAt(step) {
  const rows = Array.from({ length: BATCH }, (_, k) => points[(step * BATCH + k) % points.length]);
  const classes = rows.flatMap((point) => (isInside(point) ? [0, 1] : [1, 0]));
  return {
    x: new ort.Tensor('float32', Float32Array.from(rows.flat()), [BATCH, 2]),
    labels: new ort.Tensor('float32', Float32Array.from(classes), [BATCH, 2]),
  };
}

const initial = await ort.InferenceSession.create('initial.onnx');
const trainer = await OnnxTrainer.create(ort, 'training.onnx', {
  rule: adam({ lr: 0.03 }),
  parameters: await initial.run({}),
});
for (let step = 0; step <= STEPS; step++) {
  const { loss } = await trainer.step(batchAt(step));
  if (step % 25 === 0) log(`step ${step}: loss ${(await loss.getData())[0].toFixed(5)}`);
}

const forward = await ort.InferenceSession.create('forward.onnx', { executionProviders: ['webgpu'] });
const { scores } = await forward.run({ x: batchAt(0).x, ...trainer.parameters });
const found = await scores.getData();
const right = points
  .slice(0, BATCH)
  .filter((point, k) => isInside(point) === found[2 * k + 1] > found[2 * k]);
log(`${right.length} of ${BATCH} points are recognised.`);
log('Done.');
