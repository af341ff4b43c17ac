/** A page that may have no WebGPU, and tfjs on its CPU. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { adam } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { tamper } from '../support/tamper.js';

beforeEach(async () => void (await tf.setBackend('cpu')));

test('without WebGPU the other one is taken, and trains', async () => {
  const { numTensors } = tf.memory();
  const fused = new FusedOptimizer(adam({ lr: 0.1 }));
  const own = tf.train.adam(0.1);
  const optimizer = fused.orElse(own);
  expect(optimizer).toBe(own);
  const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  optimizer.minimize(() => tf.sum(tf.square(w)));
  expect(w.dataSync()[0]).toBeCloseTo(0.9, 5);
  expect((await errorOf(() => fused.applyGradients({}))).code).toBe('destroyed');
  expect((await errorOf(() => fused.orElse(own))).code).toBe('destroyed');
  own.dispose();
  w.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
});

test('with WebGPU it is taken itself, and the other one leaves nothing', async () => {
  const { numTensors } = tf.memory();
  const [fused, own] = [new FusedOptimizer(adam()), tf.train.adam()];
  const undo = tamper(tf.engine(), { backendName: 'webgpu' });
  const taken = fused.orElse(own);
  undo();
  expect(taken).toBe(fused);
  expect(tf.memory().numTensors).toBe(numTensors);
  fused.dispose();
});

test('without a backend, or another optimizer, it says what to do, and both stay', async () => {
  const [fused, own] = [new FusedOptimizer(adam()), tf.train.adam()];
  const undo = tamper(tf.engine(), { backendName: undefined });
  const early = await errorOf(() => fused.orElse(own));
  undo();
  expect([early.code, early.message]).toEqual([
    'invalid-config',
    expect.stringContaining('await tf.ready()'),
  ]);
  for (const other of [null, undefined, adam(), 'adam']) {
    const error = await errorOf(() => fused.orElse(other as never));
    expect(error.message).toContain('give a tf.Optimizer');
  }
  const error = await errorOf(() => fused.applyGradients({}));
  expect(error.message).toContain('computes on "cpu"');
  expect(error.message).toContain('where the browser has no WebGPU, new FusedOptimizer(…).orElse(');
  expect(fused.orElse(own)).toBe(own);
  own.dispose();
});

test('while WebGPU is asked for, and where it cannot be had, neither is taken; with tf.ready() the other one is', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  tf.registerBackend('webgpu', async () => Promise.reject(new Error('no adapter')), 3);
  onTestFinished(() => {
    tf.removeBackend('webgpu');
    warn.mockRestore();
  });
  const [fused, own] = [new FusedOptimizer(adam()), tf.train.adam()];
  const asked = tf.setBackend('webgpu');
  const early = await errorOf(() => fused.orElse(own));
  expect(await asked).toBe(false);
  const late = await errorOf(() => fused.orElse(own));
  const step = await errorOf(() => fused.applyGradients({}));
  for (const { code, message } of [early, late, step]) {
    expect(code).toBe('invalid-config');
    expect(message).toContain('"webgpu" is not there, or not ready; await tf.ready()');
  }
  await tf.ready();
  expect(fused.orElse(own)).toBe(own);
  own.dispose();
});
