import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-webgpu';
import { adam, schedules } from 'webgpu-optim';
import { FusedOptimizer } from 'webgpu-optim/tfjs';

const HIDDEN = 32;
const STEPS = 150;

const log = (text) => document.querySelector('#log').append(`${text}\n`);

if (!(await navigator.gpu?.requestAdapter())) {
  log('No WebGPU here: use a recent Chrome, Edge or Firefox.');
  throw new Error('No WebGPU.');
}
await tf.setBackend('webgpu');

// What is to be learned: a sine.
const x = tf.reshape(tf.linspace(-1, 1, 256), [256, 1]);
const y = tf.sin(tf.mul(x, 4));

const w1 = tf.variable(tf.randomNormal([1, HIDDEN], 0, 1, 'float32', 1), true, 'w1');
const b1 = tf.variable(tf.randomNormal([HIDDEN], 0, 1, 'float32', 2), true, 'b1');
const w2 = tf.variable(tf.randomNormal([HIDDEN, 1], 0, 1, 'float32', 3), true, 'w2');
const b2 = tf.variable(tf.zeros([1]), true, 'b2');
const network = () => tf.add(tf.matMul(tf.tanh(tf.add(tf.matMul(x, w1), b1)), w2), b2);
const loss = () => tf.mean(tf.squaredDifference(network(), y));

// In place of tf.train.adam(0.03).
const optimizer = new FusedOptimizer(adam({ lr: schedules.cosine({ lr: 0.03, tMax: STEPS }) }));
for (let step = 0; step <= STEPS; step++) {
  const isTold = step % 25 === 0;
  const cost = optimizer.minimize(loss, isTold);
  if (!isTold) continue;
  log(`step ${step}: loss ${(await cost.data())[0].toFixed(5)}`);
  cost.dispose();
}
log('Done.');
